#!/bin/sh
# Make the virtual environment $VENV (.venv) with the pinned versions of this machine's stack lane. No root needed.
#
# LANE, PYTHON, OFFLINE    as choose_lane.sh takes them; without them, an environment that is there keeps its lane
# ACCELERATOR=cuda         with TensorFlow's CUDA libraries; they stay until the environment is removed
# EXTRAS=demo,deploy       only what these extras need, without this project: for an image
set -eu
venv=${VENV:-.venv}
here=$(dirname "$0")
stamp=$venv/.installed # "LANE VERSION", the accelerator, and the checksum of what was installed

: "${ACCELERATOR:=}"
sh "$here/check_accelerator.sh"

pins_of() {
  case "$1" in
    tfx-1.16) echo "$here/tfx-1.16.txt" ;;
    *) echo "$here/$1-py$(echo "$2" | tr -d .).txt" ;;
  esac
}

checksum() {
  { cat "$1" setup.py; echo "${EXTRAS:-}"; } | cksum
}

if [ -z "${LANE:-}${PYTHON:-}" ] && [ -x "$venv/bin/uv" ] && [ -f "$stamp" ]; then
  read -r lane version <"$stamp"
  [ -n "$ACCELERATOR" ] || ACCELERATOR=$(sed -n 2p "$stamp")
else
  chosen=$(sh "$here/choose_lane.sh")
  lane=${chosen%% *}
  version=$(echo "$chosen" | cut -d ' ' -f 2)
  python=$(echo "$chosen" | cut -d ' ' -f 3-)
fi
pins=$(pins_of "$lane" "$version")
wanted=$(printf '%s %s\n%s\n%s' "$lane" "$version" "$ACCELERATOR" "$(checksum "$pins")")
choice="$lane with Python $version${ACCELERATOR:+ and $ACCELERATOR} in $venv"
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
  echo "$choice"
  exit
fi
echo "$choice: installing"

if ! [ -x "$venv/bin/uv" ] || [ "$(head -n 1 "$stamp" 2>/dev/null)" != "$lane $version" ]; then
  # The stamp is written last: an interrupted call starts again from nothing.
  rm -rf "$venv"
  if ! message=$("$python" -m venv "$venv" 2>&1); then
    rm -rf "$venv"
    if ! command -v uv >/dev/null; then
      echo "$message" >&2
      echo "error: $python has no module venv: install it (python$version-venv), or uv" >&2
      exit 1
    fi
    uv venv --quiet --seed --python "$python" "$venv"
  fi
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv
fi
rm -f "$stamp"
install="$venv/bin/uv pip install --quiet --python $venv/bin/python"
if [ -n "${EXTRAS:-}" ]; then
  # shellcheck disable=SC2046 # a list of words
  set -- --constraint "$pins" --requirement setup.py $(echo ",$EXTRAS" | sed 's/,/ --extra /g')
else
  set -- --requirement "$pins"
fi
$install --compile-bytecode "$@" ${ACCELERATOR:+--constraint "$pins" "tensorflow[and-cuda]"}
[ -n "${EXTRAS:-}" ] || $install --no-deps --no-build-isolation --editable .
echo "$wanted" >"$stamp"
