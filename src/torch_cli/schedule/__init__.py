"""What time sends: triggers, check-ins, and the one scheduler that fires them."""
