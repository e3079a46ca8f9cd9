"""The agents' desk: an aiohttp application that starts without rasa; docs/desk.md."""
