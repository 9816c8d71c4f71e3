"""Who is to be told before points end, and dates that move where nobody was."""
