"""Teams: ``torch.toml``, up and down, briefings, the agreement."""
