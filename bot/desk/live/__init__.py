"""Live updates of open pages: the hub of a process, and the WebSocket of a page."""
