"""Predictor: runs the source classifier on images. No other component applies it to the target."""
