"""What ``torch top`` shows: all agents at one moment. How it is drawn is not here."""
