"""`specialist data`: the data of a configuration, and what a run will take, before it runs."""
