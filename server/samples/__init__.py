"""The alliance that `tessera up` starts with, and a sample of real purchases."""
