"""Four eyes: what one person asked for is done once a second one approved (A16)."""
