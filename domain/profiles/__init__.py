"""What is known of members: declared attributes, and tags."""
