"""What reaches open pages by itself: the hub of a process, and the WebSocket of a page."""
