"""Breaks that reconciling partners' files found, worked until none is left (A11)."""
