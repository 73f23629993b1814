"""Runners of the pipeline."""
