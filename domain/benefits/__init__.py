"""Rights: what a merchant grants a member besides points, and what becomes of it."""
