"""What is sent later: triggers, check-ins, and the one scheduler that fires them."""
