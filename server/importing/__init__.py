"""Tables that are brought in from files: how they are read, and how far it has come."""
