"""Rasa-sdk actions; run in place by bot.dialogue.engine, or by `python -m rasa_sdk --actions actions`."""
