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

top=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
title=kube-apiserver
version='1.20.5+really1.20.2-1.1+deb12u1'
release=bookworm
target=${1:-$top/build/deps/kubernetes}
unavailable=3
# shellcheck source=packaging/build/debian-source.sh
. "$top/packaging/build/debian-source.sh"

# The archive without the .dsc: apt checks it against the signed index, and some mirrors drop .dsc files.
download() {
  private_apt source --download-only --tar-only "kubernetes=$version" &&
    private_apt download golang-1.19-go golang-1.19-src golang-github-modern-go-reflect2-dev
}

end_if_there
need_tools apt-get dpkg tar xz
make_work_folder
fetch 'deb deb-src' download
mkdir -p "$work/unpacked" "$work/go/src/k8s.io/kubernetes"
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
put_in_place "$work/target"
chmod -R u+w "$work"
say "kube-apiserver $version is in $target, built in $(($(date +%s) - began))s"
