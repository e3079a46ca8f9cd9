"""Files that customers and agents send: upload, fetching, storage, download."""
