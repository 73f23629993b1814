"""The results of a run, and commands that show them."""
