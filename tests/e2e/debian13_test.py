#!/usr/bin/env python3
"""Debian 13 by apt's own word, with its lists of packages and nothing installed: what packaging/debian-packages.txt names is
there and can be installed together, and the package of another release is refused before anything is changed. Whether the
package is built, installed and used there, packaging/build/on-debian.sh trixie says, which compiles all."""
import os
import pathlib
import re
import subprocess
import sys

import lib

sys.path.insert(0, str(pathlib.Path(__file__).parent / "systemd"))
import container  # noqa: E402
from node import build_deb  # noqa: E402

RELEASE = "trixie"


class Apt:
    """apt for a machine that is not there."""

    def __init__(self, where, mirror):
        self.where = where / "apt"
        for folder in ("etc/apt/sources.list.d", "etc/apt/apt.conf.d", "etc/apt/preferences.d", "var/lib/apt/lists/partial",
                       "var/lib/dpkg", "var/cache/apt/archives/partial"):
            (self.where / folder).mkdir(parents=True)
        self.status = self.where / "var/lib/dpkg/status"
        self.status.touch()
        (self.where / "etc/apt/sources.list").write_text(
            f"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {mirror} {RELEASE} main\n")

    def run(self, *words):
        return subprocess.run([lib.need("apt-get"), "-q", "-o", f"Dir={self.where}", "-o", f"Dir::State::status={self.status}",
                               "-o", "APT::Sandbox::User=",
                               # apt-file asks for lists of files, which a mirror may not have.
                               "-o", "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false", *words], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})

    def would_install(self, *packages):
        return self.run("--simulate", "--no-install-recommends", "install", *packages)


def sections():
    """The packages of each section of the file; those that are wanted for a command only may be a vendor's."""
    found, section = {}, None
    for line in (lib.TOP / "packaging/debian-packages.txt").read_text().splitlines():
        if line.startswith("["):
            section = found.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            section.append(line.split()[0])
    return found


def main():
    lib.need("apt-get", "dpkg-deb", "cpack")
    with lib.folder() as where:
        try:
            codename, mirror = container.mirror()
        except container.Refusal as refusal:
            print(f"skipped: {refusal}")
            sys.exit(lib.SKIPPED)
        apt = Apt(where, mirror)
        updated = apt.run("update")
        if updated.returncode != 0 or re.search("^[EW]:", updated.stderr, re.M):
            print(f"skipped: {mirror} gives no lists of {RELEASE}: {updated.stderr.strip()[-300:]}")
            sys.exit(lib.SKIPPED)
        named = sections()
        for sections_of in (("build", "package", "demo"), tuple(named)):  # packaging/quickstart, packaging/test
            asked = apt.would_install(*(package for section in sections_of for package in named[section]))
            assert asked.returncode == 0, f"{sections_of}: {asked.stdout[-1500:]}{asked.stderr}"
        print(f"{RELEASE} has the {sum(map(len, named.values()))} packages of {len(named)} sections")
        deb = build_deb(os.environ["FETTLE_BUILD"], where / "package")
        asked = apt.would_install(str(deb))
        if codename == RELEASE:
            assert asked.returncode == 0, asked.stdout + asked.stderr
            return
        lacks = sorted(set(re.findall(r"Depends: (\S+).*but it is not installable", asked.stdout + asked.stderr)))
        print(f"the package of {codename} there: {'needs ' + ', '.join(lacks) if asked.returncode else 'can be installed'}")
        # packaging/doc/upgrade.md says so; when it is not true any more, that is to be said there.
        assert asked.returncode != 0 and lacks, asked.stdout + asked.stderr


main()
