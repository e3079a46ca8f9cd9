"""Understanding of messages: embedding, intent with confidence, mood. Imports no Rasa."""
