#include "app/init/draft.h"

#include <fmt/format.h>

#include <string_view>

#include "app/node/probe_text.h"
#include "base/text.h"

namespace app {
namespace {

constexpr std::string_view kBegin =
    R"(# Written by "fettle init" on {node}: what ran there, and how to probe it. Look through it, then:
#   fettle check config {file} && systemctl reload fettle
# Every plan is in dry_run: fettle says what it would do, and touches nothing. "mode: enforce" lets it act, when polkit
# allows it: fettle check config --print-polkit {file}
global:
  interval: 5s   # of a probe that does not say otherwise
  timeout: 2s

# Ordinary Prometheus rule files, and files with further services.
rule_files: [/etc/fettle/rules/*.yml]
include: [/etc/fettle/services.d/*.yml]

# Services push heartbeats to this socket, one datagram with their name each.
heartbeat: {{socket: /run/fettle/heartbeat.sock}}

services:
  fettle:
    labels: {{tier: monitoring}}
    probes:
      - {{name: http, type: http, url: "http://127.0.0.1:10911/-/healthy"}}
)";

constexpr std::string_view kRecovery = R"(    recovery:
      when: {alert: ServiceDown}
      mode: dry_run
      budget: {attempts: 3, within: 15m}
      steps:
        - {do: {systemd: restart}, timeout: 60s, verify: {success_threshold: 3, within: 30s}}
)";

std::string service_text(const DraftService& service) {
  const FoundService& found = service.found;
  std::string out = fmt::format("\n  {}:\n", yaml_text(found.name));
  if (!found.unit.empty()) out += fmt::format("    unit: {}\n", yaml_text(found.unit));
  if (!service.depends_on.empty()) {
    std::string names;
    for (const std::string& name : service.depends_on) names += (names.empty() ? "" : ", ") + yaml_text(name);
    out += fmt::format("    depends_on: [{}]\n", names);
  }
  out += "    probes:\n";
  for (std::size_t i = 0; i < service.probes.size(); ++i) {
    const ChosenProbe& probe = service.probes[i];
    const std::string name =
        service.probes.size() == 1 ? probe.type : fmt::format("{}-{}", probe.type, found.ports[i].port);
    out += fmt::format("      - {}\n", probe_text(probe, name));
  }
  if (found.unit.empty()) return out;
  out += "      - {name: process, type: process}   # its end is seen at once\n";
  return out + std::string(kRecovery);
}

}  // namespace

std::string draft_text(const Draft& draft) {
  std::string out = fmt::format(kBegin, fmt::arg("node", base::foreign_text(draft.node, 253)),
                                fmt::arg("file", base::foreign_text(draft.file, 4096)));
  for (const DraftService& service : draft.services) out += service_text(service);
  out += "\n# Where news goes. A route, inhibit_rules and time_intervals are Alertmanager's own.\nreceivers: []\n";
  if (!draft.notes.empty()) out += "\n# Left out, or not seen:\n";
  for (const std::string& note : draft.notes) out += "# - " + base::foreign_text(note, 4096) + "\n";
  return out;
}

}  // namespace app
