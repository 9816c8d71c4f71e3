"""All that happened, in one sequence without gaps: operations of the log and events, for those who follow it."""
