"""What each release was, kept for good."""
