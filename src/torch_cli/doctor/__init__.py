"""The problems of this machine: this room looks at everything, and everything is below it."""
