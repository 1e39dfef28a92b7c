"""Commands in the shells of panes: what ``torch run`` does."""
