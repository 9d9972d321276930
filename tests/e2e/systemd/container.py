"""A Debian of its own, booted with systemd-nspawn: real units, a real D-Bus, polkit and journal, an own loopback.

A Root is made once, with debootstrap, and kept below the build folder. A Machine is a copy of it that runs until its
with-block ends; it is gone then, processes and folder, also when the test fails, and when this process is killed.
Whatever the machine at hand refuses is a Refusal: it says what, and is a reason to skip and not to fail.
"""
import contextlib
import ctypes
import hashlib
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import lib  # noqa: E402

# What a Debian needs to boot, to be asked over D-Bus, and to say yes or no to an unprivileged user.
PACKAGES = ["systemd", "systemd-sysv", "dbus", "polkitd", "libpam-systemd", "nginx"]
# Nothing of this is wanted in a machine that lives for two minutes.
MASKED = ["console-getty.service", "getty.target", "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer",
          "e2scrub_all.timer", "fstrim.timer", "systemd-networkd.service", "systemd-networkd-wait-online.service",
          "systemd-resolved.service", "systemd-timesyncd.service"]
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
               "DEBIAN_FRONTEND": "noninteractive"}
REBOOT = 133  # how nspawn ends when the machine asks for a reboot and there is nobody else to start it again


class Refusal(Exception):
    """This machine cannot do what the test needs."""


def words(path, count=15):
    """The last lines of a log."""
    return "\n".join("  " + line for line in path.read_text(errors="replace").splitlines()[-count:])


def mirror():
    """Codename of this host's Debian, or of the one that FETTLE_DEBIAN names, and the address of this host's mirror."""
    release = dict(line.split("=", 1) for line in pathlib.Path("/etc/os-release").read_text().splitlines() if "=" in line)
    codename = release.get("VERSION_CODENAME", "").strip('"')
    targets = subprocess.run(["apt-get", "indextargets", "--format", "$(RELEASE)|$(CODENAME)|$(COMPONENT)|$(REPO_URI)",
                              "Created-By: Packages"], capture_output=True, text=True)
    for target in targets.stdout.splitlines():
        suite, name, component, address = target.split("|")
        if component == "main" and codename in (suite, name):
            return os.environ.get("FETTLE_DEBIAN") or codename, address
    raise Refusal(f"apt's sources name no mirror of Debian {codename}")


def needs_of(deb, virtual=False):
    """The packages that a .deb depends on. Where it names a virtual one: the package that stands for it on this host,
    because debootstrap knows real ones only, and because it was built here they are here. virtual: the names as they are."""
    def output(*argv):
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    def names(field):
        return [re.match(r"[a-z0-9.+-]+", word.strip()).group() for word in field.split(",") if word.strip()]

    needed = names(output("dpkg-deb", "--field", deb, "Depends"))
    if virtual:
        return needed
    provider = {}
    for line in output("dpkg-query", "--show", "--showformat=${Package}|${Provides}\n").splitlines():
        package, provides = line.split("|")
        provider.update({name: package for name in [*names(provides), package]})
    return [provider.get(name, name) for name in needed]


class Root:
    """A Debian in a folder, with the packages that a .deb needs. Kept: it is made anew when what it is made of changes."""

    def __init__(self, cache, deb):
        self.cache = pathlib.Path(cache)
        codename, self.mirror = mirror()
        self.codename = codename
        # Of a package of another release than this host's only apt can say what stands for a virtual one.
        foreign = "FETTLE_DEBIAN" in os.environ
        self.packages = sorted({*PACKAGES, *([] if foreign else needs_of(deb))})
        self.by_apt = sorted(needs_of(deb, virtual=True)) if foreign else []
        made_of = " ".join([codename, self.mirror, *self.packages, *self.by_apt, *MASKED])
        self.path = self.cache / f"debian-{hashlib.sha256(made_of.encode()).hexdigest()[:12]}"

    def make(self):
        """Seconds that it took; 0 if it was there."""
        if self.path.exists():
            return 0
        began = time.monotonic()
        self.cache.mkdir(parents=True, exist_ok=True)
        for old in self.cache.glob("debian-*"):
            shutil.rmtree(old, ignore_errors=True)
        new = self.cache / "debian-new"
        archives = self.archives()
        log = self.cache / "debootstrap.log"
        with open(log, "wb") as out:
            made = subprocess.run([lib.need("debootstrap"), "--variant=minbase", f"--cache-dir={archives}",
                                   f"--include={','.join(self.packages)}", self.codename, str(new), self.mirror],
                                  stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self.environment())
            if made.returncode == 0 and self.by_apt:
                made = self.install(new, out)
        if made.returncode != 0:
            shutil.rmtree(new, ignore_errors=True)
            raise Refusal(f"no Debian could be made from {self.mirror}; the last words:\n{words(log)}")
        self.trim(new)
        new.rename(self.path)
        return time.monotonic() - began

    def install(self, root, out):
        """What only apt can choose, by the ways to the mirror that this host's apt has."""
        shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
        settings = subprocess.run(["apt-config", "dump"], capture_output=True, text=True).stdout.splitlines()
        (root / "etc/apt/apt.conf.d/50reach").write_text(
            "".join(line + "\n" for line in settings if re.match("Acquire::(https?::|Check-)", line)))
        apt = "apt-get -q update && exec apt-get -q -y --no-install-recommends install \"$@\""
        return subprocess.run(["chroot", str(root), "/bin/sh", "-c", apt, "sh", *self.by_apt], stdin=subprocess.DEVNULL, stdout=out,
                              stderr=out, env=self.environment())

    def archives(self):
        """A folder of packages: those that apt keeps on this host, and those that come from the mirror."""
        folder = self.cache / "archives"
        folder.mkdir(exist_ok=True)
        for package in pathlib.Path("/var/cache/apt/archives").glob("*.deb"):
            with contextlib.suppress(FileExistsError):
                (folder / package.name).symlink_to(package)
        return folder

    @staticmethod
    def environment():
        environment = {**os.environ, **ENVIRONMENT}
        proxy = subprocess.run(["apt-config", "shell", "p", "Acquire::http::Proxy"], capture_output=True, text=True).stdout
        if found := re.match(r"p='(http.*)'", proxy):
            environment["http_proxy"] = found.group(1)
        return environment

    @staticmethod
    def trim(root):
        """Half of the files of a Debian are for readers, and every machine is a copy."""
        for folder in ["usr/share/doc", "usr/share/man", "usr/share/locale", "var/lib/apt/lists", "var/cache/apt/archives"]:
            for entry in (root / folder).iterdir() if (root / folder).is_dir() else []:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        for unit in MASKED:
            link = root / "etc/systemd/system" / unit
            link.unlink(missing_ok=True)
            link.symlink_to("/dev/null")
        (root / "var/log/journal").mkdir(exist_ok=True)  # a journal that outlives a reboot
        (root / "etc/machine-id").write_text("")  # made at the start, and not a first one that presets every unit
        (root / "etc/hostname").write_text("shop\n")
        (root / "etc/hosts").write_text("127.0.0.1 localhost shop\n")


def children(pid):
    with contextlib.suppress(OSError):
        return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


class Cgroups:
    """A cgroup for one machine in each hierarchy that systemd would use, so that two machines at once do not meet."""

    def __init__(self):
        self.folders = []
        for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "name=systemd":
                self.add("/sys/fs/cgroup/systemd", path)
            elif controllers == "":
                unified = "/sys/fs/cgroup/unified"
                self.add(unified if os.path.isdir(unified) else "/sys/fs/cgroup", path)

    def add(self, mount, path):
        folder = pathlib.Path(mount + path) / f"fettle-e2e-{os.getpid()}"
        try:
            folder.mkdir()
        except OSError as error:
            raise Refusal(f"no cgroup can be made for a container: {error}") from error
        self.folders.append(folder)

    def enter(self):
        for folder in self.folders:
            (folder / "cgroup.procs").write_text(str(os.getpid()))

    def remove(self):
        for folder in self.folders:
            for below in sorted((p for p in folder.rglob("*") if p.is_dir()), reverse=True):
                with contextlib.suppress(OSError):
                    below.rmdir()
            with contextlib.suppress(OSError):
                folder.rmdir()


class Machine:
    """A booted copy of a Root. Programs run in it as root or as another user; this process joins its network."""

    LIBC = ctypes.CDLL(None, use_errno=True)
    CLONE_NEWNET = 0x40000000
    PR_SET_PDEATHSIG = 1

    def __init__(self, root, where):
        self.root, self.path, self.log = root, pathlib.Path(where) / "root", pathlib.Path(where) / "console.log"
        self.name = f"fettle-e2e-{os.getpid()}"
        self.nspawn = self.leader = self.cgroups = None
        self.own_network = os.open("/proc/self/ns/net", os.O_RDONLY)
        # A systemd that runs this host gives the container a scope; without one it gets our own cgroups.
        self.hosted = os.path.isdir("/run/systemd/system")

    def __enter__(self):
        try:
            subprocess.run(["cp", "--archive", "--reflink=auto", str(self.root.path), str(self.path)], check=True)
            self.cgroups = None if self.hosted else Cgroups()
            self.boot()
            return self
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        self.power_off()
        if self.cgroups:
            self.cgroups.remove()
        os.close(self.own_network)
        shutil.rmtree(self.path, ignore_errors=True)

    # ---- on and off

    def boot(self):
        """Seconds until every unit of the machine was started."""
        began = time.monotonic()
        # With its own numbers of processes, so that whoever ends the first of them ends them all.
        argv = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--",
                lib.need("systemd-nspawn"), "--quiet", "--boot", "--register=no", "--private-network", "--timezone=off",
                "--resolv-conf=off", f"--machine={self.name}", f"--directory={self.path}"]
        if not self.hosted:
            argv.append("--keep-unit")
        # For the first process: systemd 256 and later does not start on a host with cgroups of the first kind without it.
        argv.append("SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1")
        with open(self.log, "ab") as log:
            self.nspawn = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=self.prepare)
        self.arrive()
        return time.monotonic() - began

    def prepare(self):
        """In the child that becomes nspawn: it must not outlive this process."""
        self.LIBC.prctl(self.PR_SET_PDEATHSIG, signal.SIGKILL)
        if self.cgroups:
            self.cgroups.enter()

    def arrive(self, before=None):
        """Waits for the machine's first process, other than `before`, and for the end of its start."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if self.nspawn.poll() is not None:
                raise Refusal(f"systemd-nspawn ended with {self.nspawn.returncode}; its last words:\n{words(self.log)}")
            leader = self.first_process()
            if leader not in (None, before):
                self.leader = leader
                state = self.run("systemctl", "is-system-running", "--wait", check=False).stdout.strip()
                if state in ("running", "degraded"):
                    self.join_network()
                    return
            time.sleep(0.02)
        raise Refusal(f"no container boots here; its last words after 60 s:\n{words(self.log)}")

    def first_process(self):
        """The process that is number 1 of the machine, as a number of the host."""
        todo = [self.nspawn.pid]
        while todo:
            pid = todo.pop()
            with contextlib.suppress(OSError):
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
                if re.search(r"^NSpid:.*\t1$", status, re.M) and os.readlink(f"/proc/{pid}/exe").endswith("/systemd"):
                    return pid
                todo += children(pid)
        return None

    def join_network(self):
        with open(f"/proc/{self.leader}/ns/net") as network:
            self.switch_network(network.fileno())

    def switch_network(self, descriptor):
        if self.LIBC.setns(descriptor, self.CLONE_NEWNET) != 0:
            raise Refusal(f"the network of the container cannot be joined: {os.strerror(ctypes.get_errno())}")

    def power_off(self):
        """As if the plug was pulled: nothing in the machine gets to know."""
        self.switch_network(self.own_network)
        if self.nspawn is None:
            return
        ends = []
        for pid in filter(None, [self.leader, *children(self.nspawn.pid)]):
            with contextlib.suppress(ProcessLookupError):
                ends.append(os.pidfd_open(pid))
        self.nspawn.kill()
        self.nspawn.wait()
        for end in ends:
            select.select([end], [], [], 30)
            os.close(end)
        self.nspawn = self.leader = None

    def reboot(self):
        """Seconds from the command until every unit was started again."""
        began = time.monotonic()
        before = self.leader
        gone = os.pidfd_open(before)
        self.run("systemctl", "reboot", check=False)
        if not select.select([gone], [], [], 60)[0]:
            raise AssertionError("the machine did not go down within 60 s of systemctl reboot")
        os.close(gone)
        self.switch_network(self.own_network)
        if not self.hosted:
            assert self.nspawn.wait(20) == REBOOT, f"the machine ended in place of a reboot:\n{words(self.log)}"
            self.boot()
        else:
            self.arrive(before)
        return time.monotonic() - began

    # ---- what can be done with it

    def run(self, *argv, user=None, check=True, seconds=60):
        """A program inside, as root or another user; its output as text."""
        enter = ["nsenter", f"--target={self.leader}", "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd", "--"]
        if user:
            enter += ["runuser", "-u", user, "--"]
        done = subprocess.run(enter + [str(a) for a in argv], env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=seconds)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(map(str, argv))} in the container ended with {done.returncode}:\n"
                                 f"{done.stdout}{done.stderr}")
        return done

    def file(self, path):
        """A path of the machine as one of the host."""
        return pathlib.Path(f"/proc/{self.leader}/root") / str(path).lstrip("/")

    def write(self, path, text):
        self.file(path).parent.mkdir(parents=True, exist_ok=True)
        self.file(path).write_text(text)

    def show(self, unit, field):
        return self.run("systemctl", "show", "--value", f"--property={field}", unit).stdout.strip()

    def pid_of(self, unit):
        """The main process of a unit, as a number of the host."""
        inside = int(self.show(unit, "MainPID"))
        network = os.readlink(f"/proc/{self.leader}/ns/pid")
        for status in pathlib.Path("/proc").glob("[0-9]*/status"):
            with contextlib.suppress(OSError):
                numbers = re.search(r"^NSpid:\t(.*)$", status.read_text(), re.M).group(1).split("\t")
                if int(numbers[-1]) == inside and os.readlink(status.parent / "ns/pid") == network:
                    return int(status.parent.name)
        raise AssertionError(f"{unit} has no main process (number {inside} inside)")

    def signal(self, unit, number):
        """Sends it to the main process, and says when: just before."""
        pid = self.pid_of(unit)
        now = time.time()
        os.kill(pid, number)
        return now
