"""What Torch costs, measured here and now: ``python -m benchmarks``."""
