"""Choosing a new password for oneself."""
