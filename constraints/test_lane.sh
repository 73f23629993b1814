#!/bin/sh
# Run `make test`, or $COMMAND, in a Debian 13 root: glibc 2.41 and Python 3.13, for which lane tfx-1.21 is.
#
# The root is in $LANE_ROOT; the first call makes it (900 MB), and what is installed in it stays. The tree is copied in,
# as git sees it, and nothing of it is changed here. Needs Linux, root for chroot, and debootstrap.
set -eu
root=${LANE_ROOT:-/var/tmp/specialist-debian-13}
command=${COMMAND:-make test}
[ "$(id -u)" = 0 ] || { echo "error: it needs root, for chroot: sudo make test-lane" >&2; exit 1; }

if [ ! -e "$root/.complete" ]; then
  command -v debootstrap >/dev/null || { echo "error: debootstrap is not there: apt-get install debootstrap" >&2; exit 1; }
  mirror=$(sed -n 's/^URIs: //p; s/^deb \(\[.*\] \)\?\([^ ]*\) .*/\2/p' \
    /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null | grep -m 1 'debian$' || true)
  echo "making a Debian 13 root in $root"
  rm -rf --one-file-system "$root"
  # shellcheck disable=SC2086 # no mirror is no argument
  debootstrap --variant=minbase --include=ca-certificates,g++,git,make,procps,python3,python3-dev,python3-venv \
    trixie "$root" $mirror >/dev/null
  touch "$root/.complete"
fi

# How this machine reaches package registries.
cp /etc/resolv.conf /etc/hosts "$root/etc/"
for file in /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do
  if [ -e "$file" ]; then cp "$file" "$root$file"; fi
done

# All but what is installed, which is kept from call to call.
tree=$root/src
mkdir -p "$tree"
find "$tree" -mindepth 1 -maxdepth 1 ! -name '.venv*' -exec rm -rf {} +
git ls-files -z --cached --others --exclude-standard | xargs -0 sh -c 'for f; do [ ! -e "$f" ] || printf "%s\0" "$f"; done' sh |
  tar --null --files-from - --create | tar --directory "$tree" --extract

# In a mount namespace of its own: the mounts end with it.
export root command
exec unshare --mount sh -euc '
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
  exec chroot "$root" env -i HOME=/root LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    CI="${CI:-}" CUDA_VISIBLE_DEVICES= PIP_CERT=/etc/ssl/certs/ca-certificates.crt UV_NATIVE_TLS=1 UV_HTTP_TIMEOUT=180 \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt sh -c "cd /src && $command"'
