"""Channels: one folder per channel, and their registry."""
