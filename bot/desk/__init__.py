"""The agents' desk: an aiohttp application that needs no rasa; docs/desk.md."""
