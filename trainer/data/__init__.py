"""From Examples and a plan to batches."""
