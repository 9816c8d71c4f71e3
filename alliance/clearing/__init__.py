"""Who comes to owe whom: obligations, written with the operation that caused them."""
