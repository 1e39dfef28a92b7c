"""What happened, and who waits for a person."""
