"""The web widget."""
