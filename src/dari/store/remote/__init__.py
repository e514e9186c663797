"""What stores across a network have in common: HTTP, pauses, a copy kept up to date."""
