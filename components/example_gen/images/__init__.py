"""Encoded images: what is checked, what is converted, and their perceptual hashes."""
