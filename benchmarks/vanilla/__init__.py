"""Unmodified Rasa with our content, as a system to compare with."""
