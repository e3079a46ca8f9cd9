"""The inbox: the list, the conversation, and what agents do with it."""
