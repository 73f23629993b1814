"""The backbones, one module each; `registry` lists them, and `backbone` builds one by name."""
