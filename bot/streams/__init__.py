"""What travels: messages, files, the streams they wait in, and leases on those."""
