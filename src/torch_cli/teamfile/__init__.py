"""``torch.toml``: reading it, its schema, writing one, and the briefings it names."""
