"""From a message to its language: codes, detect (one message), follow (a conversation)."""
