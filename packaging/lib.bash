# shellcheck shell=bash
# What the scripts of this folder and .ci/run have in common. Sourced; expects `top`, the top of the source tree.
: "${top:?}"

say() { printf '%s\n' "$*"; }
fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

[ -r /proc/self/status ] || fail "/proc is not mounted, and processes cannot be watched without it: mount -t proc proc /proc"

# Reference material that some tests compare with lies beside the source tree, if at all.
if [ -z "${FETTLE_SHARED-}" ] && [ -d "$top/../shared" ]; then
  FETTLE_SHARED=$(cd "$top/../shared" && pwd)
  export FETTLE_SHARED
fi

# The packages of the named sections of debian-packages.txt, each with the command that it is wanted for, if any.
packages_of() { # SECTION...
  awk -v wanted=" $* " '/^#/ || !NF {next} /^\[/ {on = index(wanted, " " substr($0, 2, length($0) - 2) " "); next} on' \
    "$top/packaging/debian-packages.txt"
}

# Installs what is missing of the named sections. Services that come along (nginx, Redis, Prometheus) are not started:
# the scripts start their own, on ports of their own.
install_packages() { # SECTION...
  local -a missing=() as_root=()
  local package wanted_for
  command -v apt-get >/dev/null ||
    fail "this system has no apt; install the counterparts of packaging/debian-packages.txt and use --no-install"
  while read -r package wanted_for; do
    [ -z "$wanted_for" ] || ! command -v "$wanted_for" >/dev/null || continue
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
  done < <(packages_of "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null ||
      fail "these packages are missing, and there is no sudo to install them: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  say "installing ${#missing[@]} packages: ${missing[*]}"
  "${as_root[@]}" /bin/sh -s "${missing[@]}" <<'EOF' || fail "apt could not install the packages; its words stand above"
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 1' HUP INT TERM
  printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
fi
apt-get -q update && apt-get -q -y --no-install-recommends --no-remove install "$@"
EOF
}

# CivetWeb's source, where the system's library cannot do TLS; fetched once, shared by all build folders.
fetch_civetweb() {
  [ -f "$top/build/deps/civetweb/.fettle-version" ] || "$top/packaging/build/civetweb.sh"
}

# configure PRESET FOLDER CMAKE-OPTION...   FOLDER is below build/.
configure() {
  local preset=$1 folder=$2
  shift 2
  cmake -G Ninja -C "$top/packaging/build/$preset.cmake" -S "$top" -B "$top/build/$folder" "$@" \
    >"$top/build/$folder.log" 2>&1 || {
    cat "$top/build/$folder.log" >&2
    fail "CMake could not configure build/$folder"
  }
}

build() { # FOLDER TARGET...
  local folder=$1
  shift
  ninja --quiet -C "$top/build/$folder" "$@" || fail "build/$folder could not be built; the first error stands above"
}

# When the sources were released, in seconds since the epoch: the newest entry of the changelog. Every file of a package
# has this time, so that the same sources give the same bytes.
release_time() {
  date --date="$(sed -n '/^ -- /{s/.*>  //p;q}' "$top/packaging/debian/changelog")" +%s
}

# pack DEB|RPM FOLDER: packs what lies in a build folder; prints the path of the package, which replaces older ones there.
pack() {
  local kind=$1 folder=$2 found=()
  local suffix=${kind,,}
  rm -f "$folder"/fettle[_-]*."$suffix"
  (cd "$folder" && SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(release_time)} cpack -G "$kind" >cpack.log 2>&1) || {
    cat "$folder/cpack.log" >&2
    fail "cpack could not make the .$suffix; its message stands above"
  }
  found=("$folder"/fettle[_-]*."$suffix")
  [ -f "${found[0]}" ] || fail "cpack has made no .$suffix; see $folder/cpack.log"
  echo "${found[0]}"
}

# The seconds of --for; 0 if it was not given.
seconds_of() { # DURATION
  local seconds=
  case $1 in
    '') echo 0; return ;;
    *[!0-9]*[sm] | [sm]) ;;
    *s) seconds=${1%s} ;;
    *m) seconds=$((${1%m} * 60)) ;;
  esac
  [ -n "$seconds" ] || fail "--for takes a duration such as 30s or 2m, not \"$1\""
  [ "$seconds" -ge 20 ] || fail "--for needs at least 20s: two faults are injected, and their end is awaited"
  echo "$seconds"
}

# Runs a stage, and says how long it took and how it ended. Stages after a failed one still run.
failed_stages=()
stage() { # NAME COMMAND...
  local name=$1 began=$SECONDS result=ok
  shift
  say "== $name"
  ("$@") || { result=FAILED; failed_stages+=("$name"); }
  say "== $name: $result, $((SECONDS - began))s"
}
