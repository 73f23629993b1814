"""The contracts between the components: artifact types, and how each table and file of them is written and read."""
