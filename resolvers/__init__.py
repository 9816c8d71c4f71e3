"""How a field is answered: policy, then a loader or a command. Thin."""
