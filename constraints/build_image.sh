#!/bin/sh
# Build the container image $TAG (specialist:VERSION) from this folder.
#
# LANE, ACCELERATOR        as setup.sh takes them; not this machine decides about the lane, it is tfx-1.21
# TARGET=beam-worker       with the start program of Beam's workers
# BUILDER                  docker, podman or buildah; without it, the first of them that works
# BUILD_OPTIONS            more options of its command `build`
set -eu
here=$(dirname "$0")

fail() {
  echo "error: $*" >&2
  exit 1
}

case "${LANE:=tfx-1.21}" in
  tfx-1.16 | tfx-1.21) ;;
  *) fail "LANE: $LANE is not one of tfx-1.16, tfx-1.21" ;;
esac
case "${TARGET:=specialist}" in
  specialist | beam-worker) ;;
  *) fail "TARGET: $TARGET is not one of specialist, beam-worker" ;;
esac
sh "$here/check_accelerator.sh"
for builder in ${BUILDER:-docker podman buildah}; do
  if "$builder" info >/dev/null 2>&1; then break; fi
  builder=
done
if [ -z "$builder" ]; then
  [ -z "${BUILDER:-}" ] || fail "BUILDER: $BUILDER does not run: install it, start its service, or leave BUILDER out"
  fail "BUILDER: none of docker, podman, buildah runs: install one, or start its service"
fi

version=$(sed -n 's/^ *version="\(.*\)",$/\1/p' setup.py)
revision=$(git describe --always --abbrev=40 --exclude='*' --dirty 2>/dev/null || echo unknown)
code=$(python3 -c "from components import code_version; print(code_version.hash_packages())")
tag=${TAG:-specialist:$version}
# Labels as options: as arguments of LABEL, older builders would take those of an earlier build.
# shellcheck disable=SC2086 # a list of options
"$builder" build --file Dockerfile --target "$TARGET" --tag "$tag" \
  --build-arg "LANE=$LANE" --build-arg "ACCELERATOR=${ACCELERATOR:-}" --build-arg "CODE_VERSION=$code" \
  --label "org.opencontainers.image.version=$version" --label "org.opencontainers.image.revision=$revision" \
  --label "specialist.code-version=$code" ${BUILD_OPTIONS:-} .
echo "$tag: $version, $LANE${ACCELERATOR:+ and $ACCELERATOR}, code $code"
