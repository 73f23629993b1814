#!/bin/sh
# Make the virtual environment $1 with the Python of the stack lane, and uv in it. No root needed.
set -eu
venv=$1
wanted=3.10

is_wanted() {
  "$1" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$wanted')" 2>/dev/null
}

python=
for candidate in ${PYTHON:-} "python$wanted" python3 python "$(uv python find --no-python-downloads "$wanted" 2>/dev/null || true)"; do
  if [ -n "$candidate" ] && is_wanted "$candidate"; then python=$candidate; break; fi
done
if [ -z "$python" ]; then
  echo "error: no Python $wanted was found (TFX 1.16 installs on no other)." >&2
  echo "       Install it (pyenv install $wanted, uv python install $wanted, or your system's package)," >&2
  echo "       or name one: make PYTHON=/path/to/python$wanted ..." >&2
  exit 1
fi

# Beside, then renamed in effect by pip's last step: an interrupted call starts again from nothing.
rm -rf "$venv"
if ! "$python" -m venv "$venv" 2>"${TMPDIR:-/tmp}/specialist-venv.log"; then
  rm -rf "$venv"
  command -v uv >/dev/null || { cat "${TMPDIR:-/tmp}/specialist-venv.log" >&2; echo "error: $python has no venv module: install it (python$wanted-venv), or uv." >&2; exit 1; }
  uv venv --quiet --seed --python "$python" "$venv"
fi
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv
