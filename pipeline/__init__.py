"""The pipeline: its configuration, its nodes, the local runner and the command line."""
