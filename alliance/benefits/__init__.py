"""Rights between merchants: granted by one, used at another, and what that makes owed."""
