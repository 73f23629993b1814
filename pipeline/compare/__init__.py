"""The statistics of a comparison of arms, and what the paper reports."""
