"""The configuration of a run: typed, from YAML."""
