"""What can go wrong, and to which requests."""
