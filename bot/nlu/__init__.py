"""Rasa graph components, which call language/ and understanding/ and add the results."""
