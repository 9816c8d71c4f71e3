"""Statements of a cycle: what a merchant is sent, to keep, to match and to check alone (A9, A14)."""
