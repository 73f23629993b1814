#!/bin/sh
# Compute what tensorflow-addons computes, in .venv-addons, and compare: with the values that are checked in, and with
# what takes its place. UPDATE=1 checks new values in.
set -eu
venv=.venv-addons
pins=constraints/addons.txt
stamp=$venv/.installed
if [ "$(cat "$stamp" 2>/dev/null)" != "$(cksum <"$pins")" ]; then
  chosen=$(LANE=tfx-1.16 PYTHON='' sh constraints/choose_lane.sh) # the lane whose Python addons has wheels for
  rm -rf "$venv"
  "$VENV/bin/uv" venv --quiet --python "$(echo "$chosen" | cut -d ' ' -f 3-)" "$venv"
  "$VENV/bin/uv" pip install --quiet --python "$venv/bin/python" --requirement "$pins"
  cksum <"$pins" >"$stamp"
fi
golden=tests/addons/golden.npz
if [ -n "${UPDATE:-}" ]; then
  "$venv/bin/python" tests/addons/golden.py "$golden"
fi
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
"$venv/bin/python" tests/addons/golden.py "$fresh/golden.npz" "$golden"
ADDONS_GOLDEN=$fresh/golden.npz "$VENV/bin/python" -m pytest tests/addons
