"""Creates the nodes of the pipeline, and names them."""
