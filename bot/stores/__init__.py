"""Storage: SQL and Redis connections, tables, keys, schema migrations and backups."""
