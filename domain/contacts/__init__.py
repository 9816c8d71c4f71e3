"""How a member may be written to: consents by purpose and channel, their language and time zone."""
