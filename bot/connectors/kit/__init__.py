"""Code that all connectors share: the cursor, its rows, and the loop."""
