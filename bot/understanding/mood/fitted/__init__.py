"""Sentiment models fitted to the shipped sentences, so that a first start need not embed them.

Run `make fitted` after a change of `data/sentiment`; a test says when they are stale. Your own
data is fitted at the first start instead.
"""
