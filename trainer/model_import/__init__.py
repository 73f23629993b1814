"""ModelImporter: a model from elsewhere becomes an artifact as a Trainer writes it."""
