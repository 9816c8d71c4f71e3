"""Opening balances in bulk: rows of a table, checked whole, then enrolled and posted."""
