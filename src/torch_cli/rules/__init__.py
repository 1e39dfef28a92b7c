"""Rules of ``torch.toml`` that answer what an agent's program asks permission for."""
