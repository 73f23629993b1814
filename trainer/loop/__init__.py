"""The training loop, and what it needs: optimiser, schedules, distribution, checkpoints, progress."""
