"""Who needs a person, and what happened."""
