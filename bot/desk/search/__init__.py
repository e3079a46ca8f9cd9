"""Search in any script: messages, notes and customers' names."""
