"""What is written, and where: results to standard output, everything else to standard error."""
