"""Telegram: receiving, sending, setting up and polling; docs/telegram.md."""
