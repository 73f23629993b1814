"""What makes the nodes of the pipeline, and what they are called."""
