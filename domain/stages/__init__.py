"""Stages of members: how long ago they bought, at each merchant and anywhere."""
