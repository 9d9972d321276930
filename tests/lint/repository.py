#!/usr/bin/env python3
"""Fails when the repository holds what it should not.   repository.py [TOP]

- a name at the top that is not one of the fixed ones, or node_modules anywhere
- a path or a host that exists on somebody's machine only
- a lock file of npm that names any host but the public registry
- a source file of more than 900 lines
"""
import pathlib
import re
import subprocess
import sys

TOP_LEVEL = {"CMakeLists.txt", "LICENSE", "README.md", "agent", "rules", "dashboards", "tests", "packaging"}
MACHINE_PATH = re.compile(r"(?<![\w.$@}-])/(?:work|home/[a-z][\w.-]*|root|Users/\w+|tmp/fettle)/[\w.-]+")
PRIVATE_HOST = re.compile(r"https?://[\w.-]+\.(?:internal|corp|lan|intranet)\b")
RESOLVED = re.compile(r'"resolved":\s*"(?!https://registry\.npmjs\.org/)([^"]*)"')
SOURCES = {".h", ".cc", ".py", ".mjs", ".ts", ".tsx", ".bash"}
LONGEST = 900


def tracked(top):
    """Files that git knows; without git, everything but what .gitignore names."""
    try:
        names = subprocess.run(["git", "-C", str(top), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                               capture_output=True, check=True).stdout.decode().split("\0")
        return [name for name in names if name and (top / name).is_file()]
    except (OSError, subprocess.CalledProcessError):
        skip = {".git", "build", "__pycache__", "node_modules"}
        return [path.relative_to(top).as_posix() for path in top.rglob("*")
                if path.is_file() and not skip & set(path.relative_to(top).parts)]


def findings(top):
    for name in tracked(top):
        parts = name.split("/")
        if parts[0] not in TOP_LEVEL and not parts[0].startswith("."):
            yield f"{name}: {parts[0]} does not belong at the top of the tree"
        if "node_modules" in parts:
            yield f"{name}: node_modules is not committed"
        try:
            text = (top / name).read_text()
        except UnicodeDecodeError:
            continue
        lines = text.splitlines()
        if pathlib.Path(name).suffix in SOURCES and len(lines) > LONGEST:
            yield f"{name}: {len(lines)} lines; split it (at most {LONGEST})"
        if name.endswith("package-lock.json"):
            for match in RESOLVED.finditer(text):
                yield f"{name}: resolved from {match[1]}; other machines use another registry"
        elif not name.startswith("tests/lint/"):
            for number, line in enumerate(lines, 1):
                for pattern in (MACHINE_PATH, PRIVATE_HOST):
                    if found := pattern.search(line):
                        yield f"{name}:{number}: {found[0]} exists on one machine only"


def main(top):
    bad = list(findings(top))
    print("\n".join(bad) or "repository: nothing that does not belong there")
    return 1 if bad else 0


sys.exit(main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
