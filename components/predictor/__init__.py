"""Predictor: the source classifier on images, once; the only place where it meets the target."""
