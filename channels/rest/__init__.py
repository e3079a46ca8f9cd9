"""A REST channel for tests and load; docs/operations.md."""
