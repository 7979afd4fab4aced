"""What is on a host, for the commands that only look."""
