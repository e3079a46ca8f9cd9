"""Rasa actions; run in the engine (bot.dialogue.engine) or by rasa_sdk's own server."""
