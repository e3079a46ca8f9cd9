"""Canned replies: texts that agents insert by a shortcut."""
