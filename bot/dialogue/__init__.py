"""What plugs into Rasa's engine."""
