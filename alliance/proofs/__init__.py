"""Proofs: the append-only Merkle log of all operations, its signed checkpoints, and what partners check with them."""
