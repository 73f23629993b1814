"""`python -m pipeline.cli` is `specialist`."""

from pipeline.cli import main

main()
