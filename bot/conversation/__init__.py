"""Conversations: states, their rows in SQL, changes of owner, and the decision to hand off."""
