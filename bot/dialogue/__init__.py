"""The turn of a message through the engine, and our parts of Rasa: store, NLG, runner."""
