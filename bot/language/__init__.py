"""Language of messages: codes, detection, the language of a conversation, translation, entities."""
