"""Looking at agents without typing: the states of all, the list, waiting, and the log."""
