#!/bin/sh
# Renew the pinned versions of both stack lanes, or with LANE of one, from setup.py and constraints/*.in.
#
# It resolves for the lane's platform, so that every machine can do it.
set -eu
uv=${UV:-uv}
here=$(dirname "$0")

compile() { # lane, Python, platform, file
  case "${LANE:-$1}" in "$1") ;; *) return ;; esac
  "$uv" pip compile --quiet --upgrade --python-version "$2" --python-platform "x86_64-manylinux_$3" \
    --no-emit-index-url --custom-compile-command "make constraints" \
    --extra demo --extra deploy --extra emd --extra figures --extra hub --extra test setup.py "$here/$1.in" --output-file "$here/$4.txt"
}

compile tfx-1.16 3.10 2_28 tfx-1.16
for python in 3.11 3.12 3.13; do
  compile tfx-1.21 $python 2_39 "tfx-1.21-py$(echo $python | tr -d .)"
done
