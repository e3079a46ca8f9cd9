"""Work that happens by time: closing conversations, retention, erasure, removal of files."""
