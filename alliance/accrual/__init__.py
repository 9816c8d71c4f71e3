"""Purchases from files: what a feed says of its files, the runs that took them in, and how a run is undone."""
