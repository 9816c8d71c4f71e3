"""The loyalty core. Knows nothing of GraphQL, HTTP or the broker."""
