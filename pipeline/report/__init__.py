"""Fills the data block of a report from what a run or a comparison has left."""
