"""Points from one member to another."""
