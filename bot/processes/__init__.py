"""The processes a running system is made of, one file each."""
