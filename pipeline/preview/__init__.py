"""`specialist data`: shows the data of a configuration, and estimates the cost of a run."""
