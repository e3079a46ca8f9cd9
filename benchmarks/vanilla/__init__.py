"""Rasa as it comes, made from our own content."""
