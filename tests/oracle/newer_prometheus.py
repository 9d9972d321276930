#!/usr/bin/env python3
"""The Prometheus 3 of Debian's testing, beside the installed one: fetched once, unpacked, never installed.

  newer_prometheus.py FOLDER     prints where prometheus, promtool and the source are

apt downloads the packages from the mirror that this system is set up with and checks them against Debian's signature;
nothing on the system changes, and root is not needed. FOLDER keeps them for the next time, when no network is needed.
Testing moves on: a version that these tests have not been compared with is not taken, so that a change there fails no test here.
"""
import dataclasses
import pathlib
import shutil
import subprocess
import sys
import tempfile

RELEASE = "testing"
KNOWN = "3.5."  # what the differences that the tests list were found with
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
APT_CONF = """#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
"""


class NotHere(Exception):
    """There is no Prometheus 3 to be had; the text says why."""


@dataclasses.dataclass
class Newer:
    version: str
    prometheus: pathlib.Path
    promtool: pathlib.Path
    source: pathlib.Path


def run(*argv, cwd=None):
    done = subprocess.run([str(a) for a in argv], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise NotHere(f"{argv[0]} ended with {done.returncode}: {done.stdout.strip()[-400:]}")
    return done.stdout


def mirrors():
    """Those of the Debian archive that this system uses; not the security or a third-party one."""
    said = run("apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)", "Created-By: Packages")
    found = [line.split("|", 2)[2] for line in said.splitlines() if line.startswith("Debian|Debian|")]
    return list(dict.fromkeys(found))


def fetch(mirror, work):
    for name in ("state/lists/partial", "cache/archives/partial", "debs"):
        (work / name).mkdir(parents=True)
    kinds = "".join(f"{kind} [signed-by={KEYRING}] {mirror} {RELEASE} main\n" for kind in ("deb", "deb-src"))
    (work / "sources.list").write_text(kinds)
    (work / "apt.conf").write_text(APT_CONF)
    (work / "state/status").write_text("")
    apt = ["apt-get", "-q", "-c", work / "apt.conf", "-o", f"Dir::State={work}/state", "-o", f"Dir::Cache={work}/cache",
           "-o", f"Dir::State::status={work}/state/status", "-o", f"Dir::Etc::SourceList={work}/sources.list",
           "-o", "Dir::Etc::SourceParts=-"]
    run(*apt, "update")
    run(*apt, "download", "prometheus", "promtool", cwd=work / "debs")
    run(*apt, "source", "--download-only", "--tar-only", "prometheus", cwd=work / "debs")


def unpack(work, target):
    for package in (work / "debs").glob("*.deb"):
        run("dpkg-deb", "-x", package, target / "root")
    archives = list((work / "debs").glob("*.orig.tar.*"))
    if len(archives) != 1:
        raise NotHere(f"apt brought {len(archives)} source archives")
    (target / "source").mkdir()
    run("tar", "-C", target / "source", "--strip-components=1", "-xf", archives[0])


def found_in(folder):
    binaries = folder / "root/usr/bin"
    said = run(binaries / "promtool", "--version")
    version = said.split("version ", 1)[1].split()[0]
    if not version.startswith(KNOWN):
        raise NotHere(f"Debian {RELEASE} has Prometheus {version}, and these tests know {KNOWN}x: try them with it, then change KNOWN")
    return Newer(version, binaries / "prometheus", binaries / "promtool", folder / "source")


def newer_prometheus(folder):
    """Raises NotHere."""
    folder = pathlib.Path(folder).resolve()
    if (folder / "source").is_dir():
        return found_in(folder)
    for tool in ("apt-get", "dpkg-deb", "tar", "xz"):
        if not shutil.which(tool):
            raise NotHere(f"needs {tool}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    said = "apt knows no Debian mirror here"
    for mirror in mirrors():
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".prometheus-") as name:
            work = pathlib.Path(name)
            try:
                fetch(mirror, work)
                (work / "new").mkdir()
                unpack(work, work / "new")
            except NotHere as problem:
                said = str(problem)
                continue
            try:
                (work / "new").rename(folder)
            except OSError:
                pass  # two of us at once: the other one's is as good
            return found_in(folder)
    raise NotHere(said)


if __name__ == "__main__":
    try:
        print(newer_prometheus(sys.argv[1]))
    except NotHere as why:
        sys.exit(str(why))
