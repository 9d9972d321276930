#!/bin/sh
# Fetches the source of CivetWeb, as Debian 13 has it, for a Debian whose own CivetWeb cannot speak TLS (Debian 12's
# crashes on the first connection with OpenSSL 3). apt downloads it, from the mirror that this system is set up with,
# and checks it against Debian's signature. Nothing on the system changes; root is not needed.
#
# usage: packaging/build/civetweb.sh [FOLDER]     FOLDER: where the source goes, default build/deps/civetweb
#
# Once it is there, the script needs no network. packaging/build/civetweb.cmake builds what it finds.
set -eu

top=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
title=CivetWeb
version='1.16+dfsg-2+deb13u1'
release=trixie
target=${1:-$top/build/deps/civetweb}
unavailable=1
# shellcheck source=packaging/build/debian-source.sh
. "$top/packaging/build/debian-source.sh"

# The two archives without the .dsc: apt checks each against the signed index, and some mirrors drop .dsc files.
download() {
  private_apt source --download-only --tar-only "civetweb=$version" &&
    private_apt source --download-only --diff-only "civetweb=$version"
}

end_if_there
need_tools apt-get patch xz tar
make_work_folder
fetch deb-src download
mkdir "$work/source"
tar -C "$work/source" --strip-components=1 -xf "$work"/civetweb_*.orig.tar.xz
tar -C "$work/source" -xf "$work"/civetweb_*.debian.tar.xz
sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$work/source/debian/patches/series" | while read -r name; do
  patch -s -d "$work/source" -p1 <"$work/source/debian/patches/$name" || fail "Debian's patch $name does not apply"
done
put_in_place "$work/source"
say "CivetWeb $version is in $target"
