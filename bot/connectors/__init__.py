"""Connectors: other systems that hear what happened, each in a folder of its own."""
