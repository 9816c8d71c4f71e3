"""Webhooks: what happened is sent to whoever subscribed, signed, in order, again until it is taken."""
