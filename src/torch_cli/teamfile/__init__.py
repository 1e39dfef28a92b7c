"""``torch.toml``: reading and writing it, its schema, and the briefings that it names."""
