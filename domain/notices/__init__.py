"""Told before it is lost (L2): notices that are due to members, and the proof that they were delivered."""
