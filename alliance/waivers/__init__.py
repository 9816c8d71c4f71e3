"""What a creditor gives up by hand: a fee, interest, a small amount that is open with a partner (A16)."""
