"""The business calendar as people keep it: what is declared of days, what falls on them, deadlines extended."""
