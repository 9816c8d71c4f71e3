"""Forced exits: points that are sold for change, where a programme has them and the law allows."""
