"""The contracts between the components: artifact types, and how their tables and files are written and read."""
