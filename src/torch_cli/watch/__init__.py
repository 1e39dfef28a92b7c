"""Looking at agents without typing: states, ends, the list, the tree, waiting, and the log."""
