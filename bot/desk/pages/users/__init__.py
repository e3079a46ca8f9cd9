"""Users of the desk: accounts, roles and the audit log."""
