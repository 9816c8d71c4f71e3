"""Two members who are one person: the merge, and its undoing."""
