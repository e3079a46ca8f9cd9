"""Switching the second factor on and off for oneself."""
