"""Partners' own files of what they hold is owed, compared with ours line by line (A11)."""
