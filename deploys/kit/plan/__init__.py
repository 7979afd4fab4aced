"""What a host should be, as the repository says it; nothing here asks a host."""
