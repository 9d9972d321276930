// The agent's own configuration file (fettle.yml) as plain structs. Probes, plans and receivers keep their Nodes: the
// modules that know them parse those with the same Errors, so that a person sees all mistakes of a file at once.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/secret.h"
#include "base/time.h"
#include "config/global.h"
#include "config/node.h"
#include "model/labels.h"

namespace config {

struct Storage {
  base::Millis retention{7'200'000};
  std::size_t max_series = 20'000;
};

// Of /probe?module=&target=, which speaks as the blackbox exporter does.
struct Blackbox {
  std::string config_file;           // the exporter's `modules:` file; "": its basic modules
  std::vector<std::string> targets;  // patterns of further targets, beside those of the configured probes
  base::Millis timeout_offset{500};  // taken off the scrape's own timeout
  Node place;
};

// An entry of a service's list of targets, for the source that the key names and for config::target_template_schema().
struct TargetsEntry {
  std::string key;     // file_sd_configs
  std::size_t at = 0;  // its place under the key
  Node node;
};
// A key that such lists may have; discover knows which there are.
struct TargetsKey {
  std::string_view key, help;
};
using TargetsKeys = std::span<const TargetsKey>;

// What is gathered of a fault before anything is done about it.
struct Evidence {
  base::Millis budget{300};            // that an action waits for it at the longest; 0: nothing is gathered
  std::size_t max_size = 1024 * 1024;  // bytes
};

// What people want of a service after a disaster.
struct Objectives {
  std::optional<base::Millis> rpo, rto;  // data that may be lost, as the time in which it came; until it is back
  std::optional<base::Millis> detect{}, locate{}, recover{};  // of a fault, since it began
};

struct Service {
  std::string unit;  // systemd unit; "": not under systemd
  model::Labels labels;
  std::vector<std::string> depends_on;  // names of other services; checked: known, no circle
  std::vector<Node> probes;             // for probe::parse_probe
  std::vector<TargetsEntry> targets;
  std::size_t healthy_probes = 0;  // that must be up for the service to be up; 0: all
  Node traffic;                    // null if absent
  bool has_traffic = false;        // it is there
  Node recovery;                   // for recover::parse_plan; null if absent
  Node fleet;                      // for cluster::parse_group; null if absent
  Node standby;                    // for recover::parse_standby; null if absent
  Objectives objectives{};
  bool allow_reboot = false;  // a plan of this service may reboot the node
  Node place;
};

struct AgentConfig {
  Global global;
  std::vector<std::string> included;    // files that `include` found, in order; their services are among services
  std::vector<std::string> rule_files;  // patterns, relative to the configuration file's folder
  int promql_compat = 3;                // 2 or 3
  Storage storage;
  Evidence evidence;
  std::string heartbeat_socket;      // unix datagram socket for heartbeats; "": none
  std::string heartbeat_token_file;  // with the token of POST /heartbeat/<service>; "": not offered
  Blackbox blackbox;
  std::vector<std::pair<std::string, Service>> services;
  // In Alertmanager's words, for notify::parse_settings; null if absent.
  Node route, inhibit_rules, time_intervals, mute_time_intervals;
  std::vector<std::string> templates;  // patterns of files
  std::vector<Node> receivers;
  Node fleet;   // for cluster::parse_fleet; null if absent
  Node drills;  // for recover::parse_drills; null if absent
  Node root;    // the file as read, with the services of those that it includes, for shown_config()
};

// Reads and checks everything that config itself knows; the rest is left to the Nodes. Mistakes go to `errors`.
AgentConfig load_agent_config(const std::string& path, Errors& errors, TargetsKeys targets_keys = {});
AgentConfig parse_agent_config(std::string_view text, const std::string& file, Errors& errors,
                               TargetsKeys targets_keys = {});

// The same without Nodes, for who keeps it when all modules have read theirs: they hold the whole document, some KiB
// for each probe.
AgentConfig without_nodes(AgentConfig config);

// As mistakes name it: services.order, or services["a.b"].
std::string service_path(const std::string& name);

// Keys of the file with their help, for the generated reference.
std::vector<struct KeyReference> agent_config_reference(TargetsKeys targets_keys = {});

}  // namespace config
