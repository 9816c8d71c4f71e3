"""A merchant that leaves the alliance, which is no default: notice, run-off, last cycle, its deposit back (A12)."""
