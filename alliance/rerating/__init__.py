"""Re-rating: what was booked at a wrong price is put right in the open cycle (A11)."""
