"""What a person may ask of the house about themselves: all that is known of them, and that it be forgotten."""
