#!/usr/bin/env python3
"""Fails when the mutexes declared under agent/ are not those of mutexes.txt beside this file.   mutexes.py [TOP]"""
import pathlib
import re
import sys

DECLARATION = re.compile(r"\b(?:std::(?:shared_|recursive_|timed_|shared_timed_|recursive_timed_)?mutex|"
                         r"pthread_mutex_t|std::atomic_flag|pthread_rwlock_t)\s+(\w+)\s*[;{=]")


def declared(top):
    found = set()
    for path in sorted((top / "agent").rglob("*")):
        if path.suffix in (".h", ".cc"):
            for line in path.read_text().splitlines():
                for match in DECLARATION.finditer(line.split("//")[0]):
                    found.add((path.relative_to(top).as_posix(), match[1]))
    return found


def main(top):
    lines = (top / "tests/lint/mutexes.txt").read_text().splitlines()
    listed = {tuple(line.split()[:2]) for line in lines if line.strip() and not line.startswith("#")}
    bad = [f"{file}: the mutex {name} is not in tests/lint/mutexes.txt" for file, name in declared(top) - listed]
    bad += [f"tests/lint/mutexes.txt: {file} has no mutex {name}" for file, name in listed - declared(top)]
    print("\n".join(sorted(bad)) or f"mutexes: {len(listed)}, all listed")
    return 1 if bad else 0


sys.exit(main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
