"""From the bot to a person: queue, waiting, hours."""
