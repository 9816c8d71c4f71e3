"""Purchases in bulk: from lines of JSON to postings, a chunk at a time."""
