"""Messages: sent, answered, waiting, and what is known of each."""
