"""Who read whose personal data: written before it is shown, looked through for what is unusual."""
