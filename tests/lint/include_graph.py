#!/usr/bin/env python3
"""Fails when a file under agent/ includes a module that its own may not see, or a library outside its one module."""
import pathlib
import re
import sys

# The modules that each may include, from the bottom up.
LEVELS = {
    "base": [],
    "crypto": ["base"],
    "model": ["base"],
    "config": ["base", "model"],
    "store": ["base", "model"],
    "loop": ["base"],
    "os": ["base", "model", "loop"],
    "net": ["base", "model", "config", "loop", "os"],
    "http": ["base", "model", "config", "loop", "net", "encoding"],
    "state": ["base", "crypto", "model", "loop"],
    "self": ["base", "model"],
    "go": ["base"],
    "promql": ["base", "model", "go"],
    "encoding": ["base", "crypto", "model"],
    "templates": ["base", "model", "go", "promql"],
    "probe": ["base", "crypto", "model", "config", "loop", "os", "net", "http", "encoding"],
    "discover": ["base", "model", "config", "loop", "os", "net", "http", "encoding"],
    "recover": ["base", "model", "config", "loop", "os", "net", "http", "encoding", "state"],
    "cluster": ["base", "model", "config", "loop", "http", "encoding"],
    "incident": ["base", "model", "loop", "state"],
    "notify": ["base", "crypto", "model", "config", "loop", "os", "net", "encoding", "http", "state", "templates"],
    "rules": ["base", "model", "config", "loop", "state", "go", "promql", "encoding", "templates"],
    "web": ["base", "crypto", "model", "config", "loop", "net", "self", "promql", "encoding"],
    "app": ["base", "model", "config", "store", "loop", "os", "net", "http", "state", "self", "promql", "encoding", "probe",
            "discover", "recover", "cluster", "incident", "notify", "rules", "web"],
    "cli": ["base", "crypto", "model", "config", "loop", "net", "http", "promql", "encoding", "rules"],
}

# The one module (or file) that may name a library.
LIBRARIES = {
    r"yaml-cpp/": ["config/"],
    r"event2/": ["loop/"],
    r"curl/": ["http/"],
    r"ares\.h": ["net/"],
    r"stringprep\.h": ["crypto/"],
    r"brotli/": ["encoding/"],
    r"libdeflate\.h": ["encoding/"],
    r"openssl/": ["crypto/", "net/", "http/"],
    r"systemd/": ["os/systemd/"],
    r"re2/": ["base/regex.cc"],
    r"absl/": ["base/time_zone.cc"],
    r"spdlog/": ["base/log.cc"],
    r"sqlite3\.h": ["state/"],
    r"civetweb\.h": ["web/server/"],
    r"prometheus/": ["self/"],
    r"CLI/": ["main.cc", "cli/"],
}


def main(root):
    bad = []
    for path in sorted(pathlib.Path(root, "agent").rglob("*")):
        if path.suffix not in (".h", ".cc", ".def"):
            continue
        inside = path.relative_to(pathlib.Path(root, "agent")).as_posix()
        module = inside.split("/")[0]
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = re.match(r'\s*#\s*include\s+(["<])([^">]+)[">]', line)
            if not found:
                continue
            target = found[2]
            if found[1] == '"' and module in LEVELS:
                other = target.split("/")[0]
                if other != module and other not in LEVELS[module]:
                    bad.append(f"agent/{inside}:{number}: {module}/ may not include {other}/")
            for library, owners in LIBRARIES.items():
                if found[1] == "<" and re.match(library, target) and not any(inside.startswith(o) for o in owners):
                    bad.append(f"agent/{inside}:{number}: <{target}> belongs in {' or '.join(owners)} only")
    print("\n".join(bad) or "include graph: no edge that should not be there")
    return 1 if bad else 0


sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "."))
