"""Staff of merchants and of the operator are written to: of what happened, in which words, and what came of it."""
