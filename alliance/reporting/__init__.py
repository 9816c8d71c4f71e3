"""Reports for those who settle: positions at cut-offs, what is open by age, what netting saved, what is at zero."""
