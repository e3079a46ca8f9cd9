"""From events to facts to reports."""
