"""Stored value: topping up, paying back, where it may be used, and what issuers hold of their members' money."""
