"""200 rules as people write them, the pages of an exporter that they look at, and a Prometheus that scrapes it."""
import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "e2e"))
import lib  # noqa: E402

INTERVAL = 5  # seconds, of scrapes and of rules
SERVICES, GROUPS, RULES = 20, 10, 200

PATTERNS = [
    ("alert", 'depth{{service="s{s}"}} > 90'),
    ("alert", 'alive{{service="s{s}"}} == 0'),
    ("alert", 'sum by (service) (rate(requests_total{{service="s{s}",code=~"5.."}}[1m]))'
              ' / sum by (service) (rate(requests_total{{service="s{s}"}}[1m])) > 0.5'),
    ("record", 'sum by (service, code) (rate(requests_total{{service="s{s}"}}[1m]))'),
    ("alert", 'histogram_quantile(0.99, sum by (le, service) (rate(latency_seconds_bucket{{service="s{s}"}}[1m]))) > 2'),
    ("alert", 'avg_over_time(depth{{service="s{s}"}}[1m]) > 80 and on (instance) alive{{service="s{s}"}} == 1'),
    ("alert", 'predict_linear(depth{{service="s{s}"}}[1m], 600) > 1000'),
    ("alert", 'absent(alive{{service="s{s}",instance="node0"}})'),
    ("alert", 'changes(alive{{service="s{s}"}}[1m]) > 3'),
    ("record", 'max without (instance) (depth{{service="s{s}"}})'),
]
BUCKETS = ["0.005", "0.01", "0.05", "0.1", "0.5", "1", "5", "10", "+Inf"]


def rule_file(path):
    groups = []
    for g in range(GROUPS):
        rules = []
        for n in range(g * RULES // GROUPS, (g + 1) * RULES // GROUPS):
            kind, expr = PATTERNS[n % len(PATTERNS)]
            rule = {kind: f"{'Alert' if kind == 'alert' else 'recorded:rule'}{n}",
                    "expr": expr.format(s=n // len(PATTERNS) % SERVICES)}
            if kind == "alert":
                rule |= {"for": "30s", "labels": {"severity": "page"},
                         "annotations": {"summary": "{{ $labels.service }} is at {{ $value | humanize }}"}}
            rules.append(rule)
        groups.append({"name": f"group{g}", "interval": f"{INTERVAL}s", "rules": rules})
    path.write_text(json.dumps({"groups": groups}))  # JSON is YAML too
    return path


def page(instances, now):
    """17 series for each instance of each service: counters, a gauge that swings, one that drops to 0, a histogram."""
    lines = []
    at = now % 100_000
    for service in range(SERVICES):
        for instance in range(instances):
            labels = f'service="s{service}",instance="node{instance}"'
            seed = service * 7 + instance
            lines += [f'requests_total{{{labels},code="{code}"}} {int(at * (3 + seed % 11 + code // 100))}' for code in (200, 404, 500)]
            lines += [f'latency_seconds_bucket{{{labels},le="{le}"}} {int(at * (n + 1) * 2)}' for n, le in enumerate(BUCKETS)]
            lines.append(f"latency_seconds_sum{{{labels}}} {at * 2.5:.3f}")
            lines.append(f"latency_seconds_count{{{labels}}} {int(at * 18)}")
            lines.append(f"depth{{{labels}}} {50 + 45 * ((at / 13 + seed) % 2 - 1):.2f}")
            lines.append(f"alive{{{labels}}} {int(int(at / 40 + seed) % 11 != 0)}")
            lines.append(f"cpu_seconds_total{{{labels}}} {at * 0.37:.3f}")
    return "\n".join(lines) + "\n"


def resident_mib(pid):
    return round(int(pathlib.Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024, 1)


class Prometheus(lib.Process):
    def __init__(self, where, name, program, exporter, rules, interval=f"{INTERVAL}s"):
        config = where / f"{name}.yml"
        config.write_text(json.dumps({
            "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": f"{INTERVAL}s"},
            "rule_files": [str(file) for file in rules],
            "scrape_configs": [{"job_name": "bench", "honor_labels": True, "metrics_path": f"/{name}",
                                "static_configs": [{"targets": [f"127.0.0.1:{exporter.port}"]}]}]}))
        self.port = lib.free_ports(1)[0]
        super().__init__(where, name, [program, f"--config.file={config}", f"--storage.tsdb.path={where / name}",
                                       f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=error"])

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mib(self):
        return resident_mib(self.child.pid)

    def evaluations(self):
        """How many went well; none may fail."""
        sums = {}
        for line in lib.get(f"http://127.0.0.1:{self.port}/metrics").splitlines():
            if line.startswith("prometheus_rule_"):
                name = line.split("{")[0].split(" ")[0]
                sums[name] = sums.get(name, 0) + float(line.rsplit(" ", 1)[1])
        if sums.get("prometheus_rule_evaluation_failures_total"):
            sys.exit("Prometheus could not evaluate the rules")
        return sums.get("prometheus_rule_evaluation_duration_seconds_count", 0)
