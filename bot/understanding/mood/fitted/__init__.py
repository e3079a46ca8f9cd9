"""The models of mood fitted to the shipped sentences, so that a first start need not embed them.

Remake them with `make fitted` after a change of `data/sentiment`; a test says when they are stale.
Data of one's own is fitted at the first start instead.
"""
