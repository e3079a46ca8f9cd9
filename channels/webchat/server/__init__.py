"""The server's side of the web widget."""
