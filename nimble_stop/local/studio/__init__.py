"""What the sessions are and what the operations do to them."""
