"""TFDS builders that come with this package and need no download."""
