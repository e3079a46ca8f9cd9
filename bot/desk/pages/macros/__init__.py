"""Macros: named lists of actions that one click does."""
