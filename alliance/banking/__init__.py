"""Payments as banks take and report them: files out, statements in, and what came matched with what was planned."""
