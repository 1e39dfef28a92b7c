"""The main job on a real agent program: what reached its API decides, not what a screen shows."""
