"""The alliance's own reconciliation: the books proved on schedule, and what should have come back to zero by then."""
