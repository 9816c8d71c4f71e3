"""What is a person's own is kept sealed under a key of theirs, so that destroying the key erases it everywhere."""
