"""Pools: members of a merchant's programme who put points together."""
