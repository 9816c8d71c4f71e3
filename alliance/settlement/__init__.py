"""Cycles: what was owed in a period, netted, stated and paid."""
