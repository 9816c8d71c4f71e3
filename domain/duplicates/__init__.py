"""Members who may be one person: found by what is known of them, scored, and put before people who decide."""
