"""Connectors: send events to other systems, one folder per system."""
