"""One merchant's points for another's, at a quote."""
