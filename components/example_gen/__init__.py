"""ExampleGen for source and target: labelled images in, Examples with an index and a vocabulary out."""
