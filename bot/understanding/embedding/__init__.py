"""Sentence embeddings: the two default models, their files, and the cache of vectors."""
