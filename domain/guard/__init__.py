"""What stands between a member's points and who stole their account: a lock, a cooling-off, limits on new devices."""
