"""Tiers: what a member's credits have brought them to in a merchant's programme, and until when."""
