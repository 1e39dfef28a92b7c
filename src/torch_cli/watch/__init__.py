"""Looking at agents without typing: states, the list, the tree, waiting, and the log."""
