"""Between merchants: agreements, exchange, clearing, settlement, and the proofs that make trust unnecessary."""
