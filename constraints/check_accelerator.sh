#!/bin/sh
# Refuse an $ACCELERATOR that there is no environment for.
set -eu

case "${ACCELERATOR:-}" in
  "" | cuda) ;;
  tpu)
    echo "error: ACCELERATOR: no release of tensorflow-tpu installs with TFX; docs/training.md says what to use on a TPU" >&2
    exit 1
    ;;
  *)
    echo "error: ACCELERATOR: $ACCELERATOR is not one of cuda, tpu" >&2
    exit 1
    ;;
esac
