"""Processes of a running system, one file per process."""
