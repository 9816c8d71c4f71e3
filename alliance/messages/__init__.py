"""What happened is found, and members are told: by which channel, when, in which words, and what came of it."""
