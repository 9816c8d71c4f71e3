"""Disputes between merchants: what they object to of a statement before it is settled."""
