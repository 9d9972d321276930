#!/bin/sh
# Fetches the source of CivetWeb, as Debian 13 has it, for a Debian whose own CivetWeb cannot speak TLS (Debian 12's
# crashes on the first connection with OpenSSL 3). apt downloads it, from the mirror that this system is set up with,
# and checks it against Debian's signature. Nothing on the system changes; root is not needed.
#
# usage: packaging/build/civetweb.sh [FOLDER]     FOLDER: where the source goes, default build/deps/civetweb
#
# Once it is there, the script needs no network. packaging/build/civetweb.cmake builds what it finds.
set -eu

version='1.16+dfsg-2+deb13u1'
release=trixie
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

top=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
target=${1:-$top/build/deps/civetweb}
say() { printf 'civetweb.sh: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

if [ "$(cat "$target/.fettle-version" 2>/dev/null)" = "$version" ]; then
  say "CivetWeb $version is in $target already"
  exit 0
fi
for tool in apt-get patch xz tar; do
  command -v "$tool" >/dev/null || fail "needs $tool: apt-get install patch xz-utils tar (apt-get exists on Debian only)"
done
[ -r "$keyring" ] || fail "needs $keyring to check what it downloads: apt-get install debian-archive-keyring"

mkdir -p "$(dirname -- "$target")"
parent=$(CDPATH='' cd -- "$(dirname -- "$target")" && pwd)
target=$parent/$(basename -- "$target")
work=$(mktemp -d "$parent/.civetweb.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial" "$work/source"

# The mirror of the Debian archive that this system uses, whatever it is called; not the security or a third-party one.
mirrors=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
  sed -n 's/^Debian|Debian|//p' | awk '!seen[$0]++')
[ -n "$mirrors" ] || fail "apt knows no Debian mirror here: run 'apt-get update' (see /etc/apt/sources.list) and try again"

# Hooks of the system's apt belong to the system's own updates. The download user of apt may not read below a home.
cat >"$work/apt.conf" <<'EOF'
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
EOF
private_apt() {
  apt-get -q -c "$work/apt.conf" -o Dir::State="$work/state" -o Dir::Cache="$work/cache" \
    -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=- "$@" >>"$work/log" 2>&1
}

fetched=
for mirror in $mirrors; do
  say "fetching CivetWeb $version from $mirror"
  printf 'deb-src [signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$release" >"$work/sources.list"
  # The two archives without the .dsc: apt checks each against the signed index, and some mirrors drop .dsc files.
  if private_apt update && cd "$work" &&
    private_apt source --download-only --tar-only "civetweb=$version" &&
    private_apt source --download-only --diff-only "civetweb=$version"; then
    fetched=yes
    break
  fi
  tail -n 5 "$work/log" >&2
done
[ -n "$fetched" ] || fail "could not fetch it; is the mirror reachable, and does it carry Debian $release?"

tar -C "$work/source" --strip-components=1 -xf "$work"/civetweb_*.orig.tar.xz
tar -C "$work/source" -xf "$work"/civetweb_*.debian.tar.xz
sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$work/source/debian/patches/series" | while read -r name; do
  patch -s -d "$work/source" -p1 <"$work/source/debian/patches/$name" || fail "Debian's patch $name does not apply"
done
printf '%s\n' "$version" >"$work/source/.fettle-version"
# Two of us at once: the one that comes last finds the same source in place.
rm -rf "$target"
mv -T "$work/source" "$target" || [ -f "$target/.fettle-version" ]
say "CivetWeb $version is in $target"
