"""Mood of the customer: the sentiment model, its features and its evaluation."""
