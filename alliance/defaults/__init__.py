"""A merchant that does not pay: the waterfall, what covers it, and its return (A12)."""
