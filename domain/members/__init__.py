"""One member across all merchants."""
