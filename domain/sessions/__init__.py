"""Members who are signed in: sessions that are renewed, and tokens that are revoked."""
