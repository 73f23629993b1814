"""ExampleValidator: statistics against a schema, and whether a run goes on with what it finds."""
