"""SQL and Redis: connections, tables, keys, schema, and what only they need to know."""
