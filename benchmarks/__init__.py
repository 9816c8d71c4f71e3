"""What `tessera bench` runs: ours beside a baseline, in one run."""
