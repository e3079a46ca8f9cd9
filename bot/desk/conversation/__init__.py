"""One conversation at the desk: what it shows, and what agents do with it."""
