"""Rasa-sdk actions: run in place by bot.dialogue.engine, or by rasa_sdk's own server."""
