"""Users of the desk: accounts, sessions, rights and the audit log."""
