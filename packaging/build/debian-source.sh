# shellcheck shell=sh
# How the scripts beside this one fetch a source from Debian, and put what becomes of it in place. apt downloads it, with
# folders of its own, from the mirror that this system is set up with, and checks it against Debian's signature. Nothing
# on the system changes; root is not needed.
#
# Sourced by a script that has set what is said of each: `title`, `version` and `release` of the source, the folder
# `target`, `unavailable`, the exit code when the source cannot be had.
# shellcheck disable=SC2154 # those
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
fail() { say "$*"; exit 1; }
missing() { say "$*"; exit "$unavailable"; }

# Ends the script if the version that is wanted is in `target` already.
end_if_there() {
  [ "$(cat "$target/.fettle-version" 2>/dev/null)" = "$version" ] || return 0
  say "$title $version is in $target already"
  exit 0
}

need_tools() { # TOOL...
  for tool in "$@"; do
    command -v "$tool" >/dev/null ||
      missing "needs $tool: apt-get install patch xz-utils tar (apt-get exists on Debian only)"
  done
  [ -r "$keyring" ] || missing "needs $keyring to check what it downloads: apt-get install debian-archive-keyring"
}

# Makes `work`, a folder beside `target` that goes with the script.
make_work_folder() {
  mkdir -p "$(dirname -- "$target")"
  parent=$(CDPATH='' cd -- "$(dirname -- "$target")" && pwd)
  target=$parent/$(basename -- "$target")
  work=$(mktemp -d "$parent/.fettle-source.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  trap 'exit 1' HUP INT TERM
}

private_apt() {
  apt-get -q -c "$work/apt.conf" -o Dir::State="$work/state" -o Dir::Cache="$work/cache" \
    -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=- "$@" >>"$work/log" 2>&1
}

# Runs DOWNLOAD, a function, in `work` with one mirror after the other until it succeeds.
# KINDS: of archives, deb-src or deb; a list of each is fetched before.
fetch() { # KINDS DOWNLOAD
  mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial"
  # The mirror of the Debian archive that this system uses, whatever it is called; not the security or a third-party one.
  # shellcheck disable=SC2016 # apt's own placeholders
  mirrors=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    sed -n 's/^Debian|Debian|//p' | awk '!seen[$0]++')
  [ -n "$mirrors" ] ||
    missing "apt knows no Debian mirror here: run 'apt-get update' (see /etc/apt/sources.list) and try again"
  # Hooks of the system's apt belong to the system's own updates. The download user of apt may not read below a home.
  cat >"$work/apt.conf" <<'EOF'
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
EOF
  cd "$work" || exit 1
  for mirror in $mirrors; do
    say "fetching $title $version from $mirror"
    for kind in $1; do
      printf '%s [signed-by=%s] %s %s main\n' "$kind" "$keyring" "$mirror" "$release"
    done >"$work/sources.list"
    if private_apt update && "$2"; then return 0; fi
    tail -n 5 "$work/log" >&2
  done
  missing "could not fetch it; is the mirror reachable, and does it carry the sources of Debian $release?"
}

# Makes FOLDER, below `work`, the target. Of two scripts at once the one that comes last finds the same in place.
put_in_place() { # FOLDER
  printf '%s\n' "$version" >"$1/.fettle-version"
  rm -rf "$target"
  mv -T "$1" "$target" || [ -f "$target/.fettle-version" ]
}
