"""The pages of the desk, a folder each; `registry.py` lists them."""
