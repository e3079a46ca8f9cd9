"""Intent classification: which entry or dialogue intent a message asks for, and how surely."""
