#!/usr/bin/env bash
# Runs a command of the README as root on a bare Debian 12, from a clone of this repository's HEAD.
#   tools/bare_check.sh                              both commands of the README
#   tools/bare_check.sh launch/local.sh doctor       any other words, run in the clone
# Needs root, debootstrap and Debian's archive. The bare system stays in $OUTERLOOP_BARE_DIR
# (/tmp/outerloop-bare) as base/; each check runs in a new copy of it, run/.
set -euo pipefail
repository=$(CDPATH="" cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
place=${OUTERLOOP_BARE_DIR:-/tmp/outerloop-bare}
mirror=http://deb.debian.org/debian

if ((EUID != 0)) || ! command -v debootstrap >/dev/null; then
  echo "bare_check: needs root and the package debootstrap" >&2
  exit 2
fi
mkdir -p "$place"
if [[ ! -e $place/base/.complete ]]; then
  rm -rf "$place/base"
  debootstrap --variant=minbase bookworm "$place/base" "$mirror"
  touch "$place/base/.complete"
fi

check() {  # words to run in a clone inside a new bare system
  rm -rf "$place/run"
  cp -a "$place/base" "$place/run"
  cp -L /etc/resolv.conf "$place/run/etc/"
  printf '127.0.0.1 localhost %s\n' "$(uname -n)" >"$place/run/etc/hosts"
  # This network's settings.
  cp -a /etc/apt/apt.conf.d/. "$place/run/etc/apt/apt.conf.d/"
  mkdir -p "$place/run/etc/ssl/certs" "$place/run/usr/local/share/ca-certificates"
  cp -L /etc/pip.conf "$place/run/etc/" 2>/dev/null || true
  cp -a /usr/local/share/ca-certificates/. "$place/run/usr/local/share/ca-certificates/"
  cp -L /etc/ssl/certs/ca-certificates.crt "$place/run/etc/ssl/certs/" 2>/dev/null || true
  git clone -q "$repository" "$place/run/root/outerloop"
  echo "bare_check: $*"
  # The mounts go away with their namespace, whatever happens.
  # shellcheck disable=SC2016  # the inner shell expands
  unshare --mount bash -c '
    mount --bind "$1" "$1" && mount -t proc proc "$1/proc" &&
      mount --rbind /dev "$1/dev" && mount --rbind /sys "$1/sys" &&
      exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
        chroot "$1" bash -c "cd /root/outerloop && exec \"\$@\"" - "${@:2}"
  ' - "$place/run" "$@" </dev/null
}

if (($#)); then
  time check "$@"
else
  # One after the other, as the README's reader does.
  time check bash -c 'launch/local.sh train configs/omniglot_maml.yaml && tools/test.sh'
fi
