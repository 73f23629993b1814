"""How many images each label of a source has, where the images are not at hand."""
