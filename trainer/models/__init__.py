"""The backbones: `backbone` says what one is, `registry` which there are; each has a module of its own."""
