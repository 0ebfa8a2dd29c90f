"""One call: attempts, retries, quota, clock skew, deadline. No I/O."""
