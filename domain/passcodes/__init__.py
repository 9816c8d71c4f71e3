"""One-time codes, sent to a telephone or by e-mail: who has the code has the address."""
