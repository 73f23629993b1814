"""ExampleValidator: compares statistics with a schema, and stops the run if there are anomalies."""
