#!/bin/bash
# The README's way on a bare Debian of another release than this machine's, as its reader would go it: packaging/package
# in a root that debootstrap makes, and then, in a container that systemd boots, installation, first service, recovery and
# all else that the README prints. It compiles everything, so that CI does not run it; what it makes stays in
# build/on-RELEASE. Needs root, debootstrap and systemd-nspawn.
#
#   on-debian.sh RELEASE [SCENARIO...]     for example: on-debian.sh trixie; scenarios are those of
#                                          tests/e2e/systemd/systemd_test.py (installed, kill, readme)
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=packaging/lib.bash
. "$top/packaging/lib.bash"
[ $# -ge 1 ] || { sed -n '7,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
release=$1
shift
[ $# -gt 0 ] || set -- installed kill readme
[ "$(id -u)" -eq 0 ] || fail "debootstrap wants root"
for tool in debootstrap systemd-nspawn unshare tar python3; do command -v $tool >/dev/null || fail "$tool is missing"; done

out=$top/build/on-$release root=$top/build/on-$release/root
mirror=$(apt-get indextargets --format '$(ORIGIN)|$(REPO_URI)' 'Created-By: Packages' | sed -n 's/^Debian|//p' | head -n 1)
mkdir -p "$out"
bare_root() {
  [ ! -d "$root" ] || return 0
  rm -rf "$root.new"
  debootstrap --variant=minbase "$release" "$root.new" "${mirror:-http://deb.debian.org/debian}" >"$out/debootstrap.log" 2>&1 ||
    { tail -n 5 "$out/debootstrap.log"; return 1; }
  cp /etc/resolv.conf "$root.new/etc/" 2>/dev/null
  # How apt reaches its mirrors here, and nothing else: a desktop's or apt-file's files ask for lists that a build does not want.
  apt-config dump | grep -E '^Acquire::(https?::|Check-)' >"$root.new/etc/apt/apt.conf.d/50reach"
  mv "$root.new" "$root"
}
# Words are run by a shell in the root, in the source tree.
inside() {
  unshare --mount --pid --fork /bin/sh -ec '
    mount -t proc proc "$1/proc"
    mount --rbind /dev "$1/dev"
    exec chroot "$1" /bin/sh -ec "cd /fettle; $2"' sh "$root" "$*"
}
copy_sources() {
  mkdir -p "$root/fettle/build"
  # As new: a source of before the last run there may be newer than what was compiled. ccache makes that cheap.
  tar -C "$top" --exclude=./build --exclude=./.git --exclude=node_modules -c . | tar -C "$root/fettle" --touch -x || return
  # Fetched once for all.
  [ ! -d "$top/build/deps" ] || cp -a "$top/build/deps" "$root/fettle/build/"
}
pack() { inside packaging/package; }
# The shop is for the scenarios only.
shop() { inside "ninja --quiet -C build/release fettle-shop"; }
boot() {
  cp "$root"/fettle/build/release/fettle_*.deb "$root/fettle/build/release/packaging/demo/fettle-shop" "$out/" &&
    FETTLE_DEBIAN=$release FETTLE_DEB=$(echo "$out"/fettle_*.deb) FETTLE_SHOP=$out/fettle-shop FETTLE_BUILD=$out \
      python3 "$top/tests/e2e/systemd/systemd_test.py" "$@"
}

stage "a bare Debian $release" bare_root
[ -d "$root" ] || exit 1
stage "the sources" copy_sources
stage "packaging/package" pack
stage "the demo shop" shop
stage "in a container: $*" boot "$@"
if [ ${#failed_stages[@]} -gt 0 ]; then fail "failed: $(IFS=, && echo "${failed_stages[*]}")"; fi
