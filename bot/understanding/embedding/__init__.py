"""Sentence embeddings: the models, their files and the default pair of them."""
