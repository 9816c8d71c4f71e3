"""Message schemas, as ISO 20022 publishes them."""
