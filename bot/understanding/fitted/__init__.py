"""The sentiment model fitted to the shipped sentences, so that a first start need not embed them.

Remake it with `make fitted` after a change of `data/sentiment`; a test says when it is stale.
Data of one's own is fitted at the first start instead.
"""
