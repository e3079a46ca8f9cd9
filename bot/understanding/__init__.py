"""What a message means: embedding, intent with confidence, entities. Imports no Rasa."""
