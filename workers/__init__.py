"""Work in the background: jobs go from their table through the broker to an actor, and what is due is scheduled."""
