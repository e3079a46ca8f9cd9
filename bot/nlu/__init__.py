"""Rasa graph components: thin shells over language/ and understanding/."""
