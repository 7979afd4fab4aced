"""nginx on the host, the TLS edge."""
