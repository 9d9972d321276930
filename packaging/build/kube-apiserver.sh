#!/bin/sh
# Builds the API server of Kubernetes from the source that Debian 12 has (its packages have kubectl only), for tests.
# apt downloads the source, Go's compiler and one library, from the mirror that this system is set up with, and checks
# them against Debian's signature. Nothing on the system changes; root is not needed. It takes about four minutes of
# one processor and 2 GB below FOLDER, of which 60 MB stay.
#
# usage: packaging/build/kube-apiserver.sh [FOLDER]     FOLDER: where the program goes, default build/deps/kubernetes
#
# Once it is there, the script needs no network. It ends with 3 if the source cannot be had.
set -eu

version='1.20.5+really1.20.2-1.1+deb12u1'
release=bookworm
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

top=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
target=${1:-$top/build/deps/kubernetes}
say() { printf 'kube-apiserver.sh: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
missing() { say "$*"; exit 3; }

if [ "$(cat "$target/.fettle-version" 2>/dev/null)" = "$version" ]; then
  say "kube-apiserver $version is in $target already"
  exit 0
fi
for tool in apt-get dpkg tar xz; do
  command -v "$tool" >/dev/null || missing "needs $tool: apt-get install xz-utils tar (apt-get exists on Debian only)"
done
[ -r "$keyring" ] || missing "needs $keyring to check what it downloads: apt-get install debian-archive-keyring"

mkdir -p "$(dirname -- "$target")"
parent=$(CDPATH='' cd -- "$(dirname -- "$target")" && pwd)
target=$parent/$(basename -- "$target")
work=$(mktemp -d "$parent/.kubernetes.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial" "$work/unpacked" "$work/go/src/k8s.io/kubernetes"

# The mirror of the Debian archive that this system uses, whatever it is called; not the security or a third-party one.
mirrors=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
  sed -n 's/^Debian|Debian|//p' | awk '!seen[$0]++')
[ -n "$mirrors" ] || missing "apt knows no Debian mirror here: run 'apt-get update' (see /etc/apt/sources.list) and try again"

# Hooks of the system's apt belong to the system's own updates. The download user of apt may not read below a home.
cat >"$work/apt.conf" <<'CONF'
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
CONF
private_apt() {
  apt-get -q -c "$work/apt.conf" -o Dir::State="$work/state" -o Dir::Cache="$work/cache" \
    -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=- "$@" >>"$work/log" 2>&1
}

fetched=
cd "$work"
for mirror in $mirrors; do
  say "fetching Kubernetes $version from $mirror"
  printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$release" >"$work/sources.list"
  printf 'deb-src [signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$release" >>"$work/sources.list"
  # The archive without the .dsc: apt checks it against the signed index, and some mirrors drop .dsc files.
  if private_apt update && private_apt source --download-only --tar-only "kubernetes=$version" &&
    private_apt download golang-1.19-go golang-1.19-src golang-github-modern-go-reflect2-dev; then
    fetched=yes
    break
  fi
  tail -n 5 "$work/log" >&2
done
[ -n "$fetched" ] || missing "could not fetch it; is the mirror reachable, and does it carry the sources of Debian $release?"

began=$(date +%s)
for package in ./*.deb; do dpkg -x "$package" "$work/unpacked"; done
source=$work/go/src/k8s.io/kubernetes
tar -C "$source" --strip-components=1 -xf "$work"/kubernetes_*.orig.tar.*
# Go 1.18 and newer break the map iteration of the reflect2 1.0.1 in it (modern-go/reflect2 issue 26): the server would
# crash after some requests. Debian 12 has 1.0.2.
reflect2=$source/vendor/github.com/modern-go/reflect2
rm -f "$reflect2"/*.go "$reflect2"/*.s
cp "$work"/unpacked/usr/share/gocode/src/github.com/modern-go/reflect2/*.go \
  "$work"/unpacked/usr/share/gocode/src/github.com/modern-go/reflect2/*.s "$reflect2"

export GOROOT="$work/unpacked/usr/lib/go-1.19" GOPATH="$work/go" GOCACHE="$work/gocache" HOME="$work" CGO_ENABLED=0
export GO111MODULE=off GOPROXY=off GOFLAGS='' PATH="$work/unpacked/usr/lib/go-1.19/bin:$PATH"
# Debian's packages link Go's own source and includes from beside them, by absolute paths.
for name in src pkg test api misc; do
  [ -e "$GOROOT/$name/" ] || [ ! -e "$work/unpacked/usr/share/go-1.19/$name" ] || {
    rm -f "$GOROOT/$name"
    ln -s "$work/unpacked/usr/share/go-1.19/$name" "$GOROOT/$name"
  }
done
cd "$source"
say "generating its OpenAPI definitions"
# One generated file is not in the archive.
go build -o "$work/openapi-gen" k8s.io/kubernetes/vendor/k8s.io/kube-openapi/cmd/openapi-gen >>"$work/log" 2>&1 ||
  { tail -n 20 "$work/log" >&2; fail "the generator does not build"; }
inputs=$(for part in api apimachinery kube-aggregator apiextensions-apiserver metrics; do
  grep -rlE '\+k8s:openapi-gen=' --include='*.go' "staging/src/k8s.io/$part"
done | xargs -n1 dirname | sort -u | grep -v testapigroup | sed 's#^staging/src/#k8s.io/kubernetes/vendor/#' | paste -sd,)
"$work/openapi-gen" --go-header-file hack/boilerplate/boilerplate.generatego.txt --output-base "$GOPATH/src" \
  -O zz_generated.openapi --output-package k8s.io/kubernetes/pkg/generated/openapi -r /dev/null \
  --input-dirs "$inputs" >>"$work/log" 2>&1 ||
  { tail -n 20 "$work/log" >&2; fail "the definitions cannot be generated"; }
say "building it"
mkdir -p "$work/target"
nice go build -p "${FETTLE_JOBS:-2}" -tags providerless,dockerless -trimpath -ldflags '-s -w' -o "$work/target/kube-apiserver" \
  k8s.io/kubernetes/cmd/kube-apiserver >>"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; fail "it does not build"; }
printf '%s\n' "$version" >"$work/target/.fettle-version"
# Two of us at once: the one that comes last finds the same program in place.
rm -rf "$target"
mv -T "$work/target" "$target" || [ -f "$target/.fettle-version" ]
chmod -R u+w "$work"
say "kube-apiserver $version is in $target, built in $(($(date +%s) - began))s"
