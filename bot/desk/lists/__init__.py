"""Lists of conversations: their rows, sizes and filters."""
