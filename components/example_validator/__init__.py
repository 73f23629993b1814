"""ExampleValidator: compares statistics with a schema, and stops the run if there are anomalies.

SchemaImporter gives it the schema.
"""
