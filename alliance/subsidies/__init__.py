"""What issuers have accepted to lose on points that they issue for less than they pay for them (A3 c)."""
