#!/bin/sh
# Choose the stack lane and its Python for this machine; print both: "LANE VERSION PYTHON". Installs nothing but Python.
#
# LANE=tfx-1.16|tfx-1.21   only this lane
# PYTHON=python3.12        this Python; it decides about the lane
# OFFLINE=1                do not let uv download a Python where no usable one is there
set -eu
new_glibc=2.39 # oldest with wheels of TFX 1.21's companions
new_pythons="3.13 3.12 3.11"
old_pythons="3.10" # TFX 1.16 installs on no other

fail() {
  echo "error: $*" >&2
  exit 1
}

version_of() {
  "$1" -c "import sys; print('%d.%d' % sys.version_info[:2])" 2>/dev/null || true
}

# The Python behind the links: that of an active environment would go with it when it is made anew.
path_of() {
  readlink -f "$(command -v "$1")"
}

lane_of() {
  case " $new_pythons | $old_pythons " in
    *" $1 "*"|"*) echo tfx-1.21 ;;
    *"|"*" $1 "*) echo tfx-1.16 ;;
  esac
}

is_at_least() { # versions MAJOR.MINOR
  [ "${1%%.*}" -gt "${2%%.*}" ] || { [ "${1%%.*}" -eq "${2%%.*}" ] && [ "${1#*.}" -ge "${2#*.}" ]; }
}

has_compiler() {
  command -v "${CXX:-c++}" >/dev/null || command -v g++ >/dev/null
}

# Print the first Python of the versions $@ that runs. A name in PATH may be a shim that does not.
find_python() {
  for wanted in "$@"; do
    if [ "$wanted" = 3.13 ] && ! has_compiler; then continue; fi # pyfarmhash has no wheel for it
    for candidate in "python$wanted" python3 python "$(find_elsewhere "$wanted")"; do
      if [ "$(version_of "$candidate")" = "$wanted" ]; then
        echo "$wanted $(path_of "$candidate")"
        return
      fi
    done
  done
}

find_elsewhere() {
  if command -v uv >/dev/null && uv python find --quiet --system --no-python-downloads "$1" 2>/dev/null; then return; fi
  if command -v pyenv >/dev/null; then
    for candidate in "$(pyenv root)/versions/$1".*/bin/python; do
      if [ -x "$candidate" ]; then echo "$candidate"; return; fi
    done
  fi
}

# Let uv download Python $1, and print its path. uv itself comes from pip if it is not there.
download_python() {
  echo "no usable Python was found: uv downloads Python $1 into its own folder (OFFLINE=1 forbids it)" >&2
  if ! command -v uv >/dev/null; then
    tools=$(mktemp -d)
    trap 'rm -rf "$tools"' EXIT
    { python3 -m venv "$tools" && "$tools/bin/python" -m pip install --quiet uv; } >/dev/null 2>&1 \
      || fail "uv is not there and cannot be installed: install uv, or Python $1"
    PATH=$tools/bin:$PATH
  fi
  uv python install --quiet "$1" >&2 || fail "uv could not download Python $1: install it, or name one with PYTHON="
  uv python find --quiet --system --no-python-downloads "$1"
}

libc=$(getconf GNU_LIBC_VERSION 2>/dev/null) || fail "this system has no GNU C library: TFX's wheels need Linux with glibc"
glibc=${libc#glibc }
case "${LANE:=}" in
  "" | tfx-1.16 | tfx-1.21) ;;
  *) fail "LANE: $LANE is not one of tfx-1.16, tfx-1.21" ;;
esac
if [ "$LANE" = tfx-1.21 ] && ! is_at_least "$glibc" $new_glibc; then
  fail "LANE: tfx-1.21 needs glibc $new_glibc or newer, and this system has $glibc; leave LANE out"
fi

if [ -n "${PYTHON:-}" ]; then
  version=$(version_of "$PYTHON")
  [ -n "$version" ] || fail "PYTHON: $PYTHON does not run"
  lane=$(lane_of "$version")
  [ -n "$lane" ] || fail "PYTHON: $PYTHON is Python $version; usable are $old_pythons and $new_pythons"
  [ "$lane" = "${LANE:-$lane}" ] || fail "PYTHON: $PYTHON is Python $version, which is for $lane, not for LANE=$LANE"
  if [ "$lane" = tfx-1.21 ] && ! is_at_least "$glibc" $new_glibc; then
    fail "PYTHON: Python $version needs glibc $new_glibc or newer, and this system has $glibc; name a Python $old_pythons"
  fi
  if [ "$version" = 3.13 ] && ! has_compiler; then
    fail "PYTHON: Python 3.13 needs a C++ compiler (g++) for a dependency; install it, or name a Python 3.12"
  fi
  echo "$lane $version $(path_of "$PYTHON")"
  exit
fi

usable=
if [ "$LANE" != tfx-1.16 ] && is_at_least "$glibc" $new_glibc; then usable=$new_pythons; fi
if [ "$LANE" != tfx-1.21 ]; then usable="${usable:+$usable }$old_pythons"; fi
# shellcheck disable=SC2086 # a list of words
found=$(find_python $usable)
if [ -z "$found" ]; then
  if [ "${OFFLINE:-}" = 1 ]; then
    fail "no usable Python was found for glibc $glibc: install one of $(echo "$usable" | sed 's/ /, /g')," \
      "or name one with PYTHON="
  fi
  case "$usable" in
    "$new_pythons"*) version=3.12 ;; # the newest that needs no compiler
    *) version=3.10 ;;
  esac
  path=$(download_python "$version")
  found="$version $path"
fi
echo "$(lane_of "${found%% *}") $found"
