"""Messages on their way: message types, inbox, outbox and record streams, leases on shards."""
