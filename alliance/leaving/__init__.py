"""Members who have left: what was left of them is settled."""
