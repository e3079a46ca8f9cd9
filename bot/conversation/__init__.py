"""Whose turn it is: states, rows in SQL, episodes."""
