"""Who works at the desk: accounts, sessions, what each may see, and what they did."""
