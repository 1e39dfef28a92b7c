"""What happens later: check-ins, the daemon, cron."""
