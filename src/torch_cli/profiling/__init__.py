"""A profile for a program that Torch does not know: tried out, inferred and drafted."""
