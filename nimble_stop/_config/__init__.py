"""Where a client's settings come from: arguments, the environment, AWS's files."""
