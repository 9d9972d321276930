#include "config/agent_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/edit_distance.h"
#include "base/file.h"
#include "base/number.h"
#include "config/global_schema.h"
#include "config/include.h"
#include "config/schema.h"
#include "config/variables.h"

namespace config {
namespace {

struct Heartbeat {
  std::string socket;
  std::string token_file;
  Node place;
};

// The file as it is written; AgentConfig is what the program reads.
struct Draft {
  Global global;
  std::vector<std::string> include;
  std::vector<std::string> rule_files;
  int promql_compat = 3;
  Storage storage;
  Evidence evidence;
  Heartbeat heartbeat;
  Blackbox blackbox;
  std::vector<std::pair<std::string, Service>> services;
  Node route, inhibit_rules, time_intervals, mute_time_intervals;
  std::vector<std::string> templates;
  std::vector<Node> receivers;
  Node fleet, drills;
};

const Schema<Storage>& storage_schema() {
  static const auto s =
      Schema<Storage>("storage")
          .optional("retention", &Storage::retention, "How long samples are kept in memory for rules and queries.")
          .optional("max_series", &Storage::max_series,
                    "How many series are kept at most. Health, alerts and recordings have room of their own; series "
                    "that have ended make room; more are refused, and AgentStoreFull says so.")
          .check([](const Storage& v, const Complain& complain) {
            if (v.retention <= base::Millis{0}) complain("retention", "must be longer than 0s");
            if (v.max_series == 0) complain("max_series", "must be at least 1");
          });
  return s;
}

// "1MiB", "256KiB", or bytes.
std::optional<std::size_t> bytes_in(std::string_view text) {
  const auto number = base::take_number<std::size_t>(text);
  const std::size_t unit = text.empty() ? 1 : text == "KiB" ? 1024 : text == "MiB" ? 1024 * 1024 : 0;
  constexpr std::size_t kMost = 16 * 1024 * 1024;
  if (!number || unit == 0 || *number > kMost / unit) return std::nullopt;
  return *number * unit;
}

void read_max_size(const Node& node, Evidence& out, const std::string& path, Errors& errors) {
  const auto bytes = node.is_scalar() ? bytes_in(node.scalar()) : std::nullopt;
  if (bytes && *bytes >= 1024) out.max_size = *bytes;
  else errors.add(node.mark(), path, expected("a size such as 256KiB or 1MiB, from 1KiB to 16MiB", node));
}

const Schema<Evidence>& evidence_schema() {
  static const auto s =
      Schema<Evidence>("evidence")
          .optional("budget", &Evidence::budget,
                    "So long the first action of a recovery waits, at the longest, until the states of the service's "
                    "threads, its limits, sockets and journal lines are gathered. 0s: nothing is gathered.")
          .custom("max_size", "How large the evidence of one fault may be: 256KiB, 1MiB.", "1MiB", read_max_size)
          .check([](const Evidence& v, const Complain& complain) {
            if (v.budget > base::Millis{5'000}) complain("budget", "must not be longer than 5s: the cure waits for it");
          });
  return s;
}

const Schema<Heartbeat>& heartbeat_schema() {
  static const auto s =
      Schema<Heartbeat>("heartbeat")
          .optional("socket", &Heartbeat::socket, "Unix datagram socket that takes heartbeats; empty: none.")
          .optional(
              "token_file", &Heartbeat::token_file,
              "File with the tokens that POST /heartbeat/<service> may bring, one a line: a token for all services, or "
              "SERVICE TOKEN for one. Empty: not offered.")
          .place(&Heartbeat::place);
  return s;
}

const Schema<Blackbox>& blackbox_schema() {
  static const auto s =
      Schema<Blackbox>("blackbox")
          .optional("config_file", &Blackbox::config_file,
                    "The blackbox exporter's own file with `modules:`, relative to this file's folder; empty: its "
                    "modules http_2xx, tcp_connect and the like.")
          .optional(
              "targets", &Blackbox::targets,
              "Targets that may be asked for beside those of the configured probes: [SCHEME://]HOST[:PORT][/PATH] "
              "or the path of a socket, where * stands for letters of its own part: a label of the host "
              "(10.0.0.*; *. in front for one label or more), the port, the path. A * behind the whole host "
              "(https://*.shop.example*) or at the end of the port is any port and path. Redirects keep to the "
              "list. A name that leads to a loopback, link-local or own address is refused unless that address "
              "is in the list. '*' alone allows everything.")
          .place(&Blackbox::place)
          .optional("timeout_offset", &Blackbox::timeout_offset,
                    "Taken off the timeout that Prometheus sends, so that the answer is there in time.")
          .check([](const Blackbox& b, const Complain& complain) {
            if (b.timeout_offset < base::Millis{0}) complain("timeout_offset", "must not be negative");
          });
  return s;
}

void read_healthy_when(const Node& node, Service& service, const std::string& path, Errors& errors) {
  std::string why;
  int needed = 0;
  if (node.scalar() == "all") return;
  if (node.scalar() == "any") service.healthy_probes = 1;
  else if (!read(node, needed, why) || needed < 1)
    errors.add(node.mark(), path, expected("all, any or a number of probes", node));
  else service.healthy_probes = static_cast<std::size_t>(needed);
}

void check_healthy_when(const Service& service, const Complain& complain) {
  if (!service.targets.empty()) return;  // nobody knows how many there will be
  if (service.healthy_probes > std::max<std::size_t>(1, service.probes.size()))
    complain("healthy_when", fmt::format("asks for {} probes that are up, but the service has {}",
                                         service.healthy_probes, service.probes.size()));
}

const Schema<Objectives>& objectives_schema() {
  static const auto s = Schema<Objectives>("objectives")
                            .optional("rpo", &Objectives::rpo, "How old the newest data of a restored backup may be.")
                            .optional("rto", &Objectives::rto, "How long it may take until restored data can be used.")
                            .optional("detect", &Objectives::detect,
                                      "How long a fault may last until it is known; 1m is common practice. Incidents "
                                      "and fault drills are judged by it.")
                            .optional("locate", &Objectives::locate,
                                      "How long a fault may last until its kind is known, by the evidence; 5m, say.")
                            .optional("recover", &Objectives::recover,
                                      "How long a fault may last until nothing of it is wrong; 10m, say.")
                            .check([](const Objectives& o, const Complain& complain) {
                              if (o.detect && o.detect->count() <= 0) complain("detect", "must be longer than 0s");
                              if (o.locate && o.locate->count() <= 0) complain("locate", "must be longer than 0s");
                              if (o.recover && o.recover->count() <= 0) complain("recover", "must be longer than 0s");
                              if (o.rpo && o.rpo->count() <= 0) complain("rpo", "must be longer than 0s");
                              if (o.rto && o.rto->count() <= 0) complain("rto", "must be longer than 0s");
                            });
  return s;
}

Schema<Service> service_schema(TargetsKeys targets_keys) {
  auto s =
      Schema<Service>("service")
          .optional("unit", &Service::unit, "The systemd unit that runs the service.")
          .optional("labels", &Service::labels, "Labels of the service, shown on pages and in fettle_service_up.")
          .optional("depends_on", &Service::depends_on,
                    "Services of this node that must be healthy before this one is recovered.")
          .optional("probes", &Service::probes, "What is checked, and how; see the probe types.")
          .custom("healthy_when",
                  "How many of the probes must be up for the service to be up: all, any, or a number of them.", "all",
                  read_healthy_when)
          .optional("traffic", &Service::traffic, "Who sends requests to the service, so that it can be drained.")
          .optional("recovery", &Service::recovery, "What to do when an alert of the service fires.")
          .optional("fleet", &Service::fleet,
                    "The group over all nodes of which few services may be recovered at a time; see fleet.")
          .optional("standby", &Service::standby,
                    "Other servers that hold the same data, of which one may become the primary; see standby.")
          .optional("objectives", &Service::objectives, objectives_schema(),
                    "What its incidents and its drills are judged by; see drills.")
          .optional(
              "allow_reboot", &Service::allow_reboot,
              "Whether the recovery of this service may reboot the node; without it the action reboot is a mistake.")
          .place(&Service::place)
          .check(check_healthy_when);
  for (const TargetsKey& known : targets_keys)
    s.items(std::string(known.key), std::string(known.help),
            [key = std::string(known.key)](Service& service, const Node& item, std::size_t at) {
              service.targets.push_back({key, at, item});
            });
  return s;
}

// An item that is none costs none of the others.
void read_rule_files(const Node& node, Draft& draft, const std::string& path, Errors& errors) {
  if (!node.is_sequence()) return errors.add(node.mark(), path, expected("a list", node));
  const std::vector<Node> items = node.items();
  for (std::size_t i = 0; i < items.size(); ++i)
    if (items[i].is_scalar()) draft.rule_files.push_back(items[i].scalar());
    else errors.add(items[i].mark(), fmt::format("{}[{}]", path, i), expected("a string", items[i]));
}

// `service` lives longer than it.
Schema<Draft> agent_schema(const Schema<Service>& service) {
  return Schema<Draft>("fettle.yml")
      .optional("global", &Draft::global, global_schema(), "What holds for everything.")
      .custom("rule_files", "Prometheus rule files; shell patterns, relative to this file's folder.", "[]",
              read_rule_files)
      .custom("promql_compat", "Whose PromQL: 3 (Prometheus 3: ranges open on the left) or 2 (closed).", "3",
              [](const Node& node, Draft& d, const std::string& path, Errors& errors) {
                std::string why;
                if (read(node, d.promql_compat, why) && d.promql_compat != 2 && d.promql_compat != 3)
                  why = expected("2 or 3", node);
                if (!why.empty()) errors.add(node.mark(), path, why);
              })
      .optional("storage", &Draft::storage, storage_schema(), "The samples in memory.")
      .optional("evidence", &Draft::evidence, evidence_schema(),
                "What is gathered of a fault before anything is done about it; see `fettle incident ID --evidence`.")
      .optional("heartbeat", &Draft::heartbeat, heartbeat_schema(), "How services may send heartbeats.")
      .optional("blackbox", &Draft::blackbox, blackbox_schema(),
                "GET /probe?module=&target=, as the blackbox exporter answers it.")
      .optional("include", &Draft::include,
                "Files with further services, a `services` each and nothing else; shell patterns, relative to this "
                "file's folder. A name stands once, over all files.")
      .named("services", &Draft::services, service, "The services of this node, by name.")
      .optional("route", &Draft::route,
                "Which receiver hears of which alerts, as in Alertmanager's configuration; see route. Without it every "
                "receiver hears of every alert, at once.")
      .optional("inhibit_rules", &Draft::inhibit_rules,
                "Which alerts keep others back while they fire; see inhibit_rules.")
      .optional("time_intervals", &Draft::time_intervals, "Times at which routes notify or do not; see time_intervals.")
      .optional("mute_time_intervals", &Draft::mute_time_intervals, "The older name of time_intervals.")
      .optional("templates", &Draft::templates,
                "Files with {{ define }}s for the texts of receivers; shell patterns, relative to this file's folder.")
      .optional("receivers", &Draft::receivers, "Where notifications go; see receivers.")
      .optional("fleet", &Draft::fleet, "The store that the agents of all nodes share; see fleet.")
      .optional("drills", &Draft::drills,
                "Backups that are restored on trial, and faults that are rehearsed, by name; see drills.")
      .shows({"templates", "include"});
}

bool is_service_name(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !name.empty() && letter(name[0]) && name.back() != '.' && std::all_of(name.begin(), name.end(), [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') || c == '.' || c == '-';
  });
}

void check_service_names(const Node& services, Errors& errors) {
  for (const auto& [name, value] : services.entries())
    if (!is_service_name(name.scalar()))
      errors.add(name.mark(), service_path(name.scalar()),
                 "a service's name starts with a letter or _ and goes on with letters, digits, '_', '.' and '-', and "
                 "ends with no '.'");
}

// The graph of depends_on: an edge per item that names a known service.
class Dependencies {
 public:
  Dependencies(const Draft& draft, Errors& errors) : draft_(draft), errors_(errors) {
    for (std::size_t i = 0; i < draft.services.size(); ++i) {
      names_.push_back(draft.services[i].first);
      index_.emplace(draft.services[i].first, i);
    }
  }

  void check() {
    edges_.resize(names_.size());
    for (std::size_t from = 0; from < names_.size(); ++from) collect(from);
    visited_.assign(names_.size(), false);
    for (std::size_t from = 0; from < names_.size(); ++from) walk(from);
  }

 private:
  struct Edge {
    std::size_t to;
    Mark at;
    std::string path;
  };

  void collect(std::size_t from) {
    const auto& [name, service] = draft_.services[from];
    const std::vector<Node> items = service.place.find("depends_on").items();
    for (std::size_t i = 0; i < service.depends_on.size(); ++i) {
      const std::string& wanted = service.depends_on[i];
      const Mark at = items[i].mark();
      const std::string path = fmt::format("{}.depends_on[{}]", service_path(name), i);
      if (const auto found = index_.find(wanted); found != index_.end()) {
        edges_[from].push_back({found->second, at, path});
        continue;
      }
      const std::string near = base::nearest(wanted, names_);
      errors_.add(at, path,
                  fmt::format("no service is named '{}'", wanted) +
                      (near.empty() ? "" : fmt::format("; did you mean '{}'?", near)));
    }
  }

  // Depth first; an edge back onto the way closes a circle. Every service is left once, so every circle is named once.
  void walk(std::size_t from) {
    if (visited_[from]) return;
    visited_[from] = true;
    way_.push_back(from);
    for (const Edge& edge : edges_[from]) {
      const auto closes = std::find(way_.begin(), way_.end(), edge.to);
      if (closes == way_.end()) {
        walk(edge.to);
        continue;
      }
      std::string circle;
      for (auto at = closes; at != way_.end(); ++at) circle += names_[*at] + " → ";
      errors_.add(edge.at, edge.path,
                  fmt::format("services depend on each other in a circle: {}{}", circle, names_[edge.to]));
    }
    way_.pop_back();
  }

  const Draft& draft_;
  Errors& errors_;
  std::vector<std::string> names_;
  std::map<std::string, std::size_t> index_;
  std::vector<std::vector<Edge>> edges_;
  std::vector<bool> visited_;
  std::vector<std::size_t> way_;
};

// The file's path. Its content is read at each heartbeat, so that the token can be exchanged, and may come later.
std::string token_file(const Heartbeat& heartbeat, const std::string& file, Errors& errors) {
  if (heartbeat.token_file.empty()) return "";
  const std::string path = std::filesystem::absolute(file).parent_path() / heartbeat.token_file;
  const auto content = base::read_file(path, 64 * 1024);
  std::string why;
  if (!content) why = content.error().text;
  else if (content->find_first_not_of(" \r\n") == std::string::npos) why = path + " is empty: write the token into it";
  if (!why.empty())
    errors.warn(heartbeat.place.find("token_file").mark(), "heartbeat.token_file",
                why + "; heartbeats with a token are refused until that is mended");
  return path;
}

}  // namespace

AgentConfig parse_agent_config(std::string_view text, const std::string& file, Errors& errors,
                               TargetsKeys targets_keys) {
  AgentConfig out;
  const std::size_t before = errors.size();
  Included all = with_included(Node::parse(text, file, errors), file, errors);
  const Node root = out.root = all.root;
  out.included = std::move(all.files);
  if (root.is_null()) {
    if (errors.size() == before) errors.add({file, 0, 0}, "", "the file is empty: name at least one service to watch");
    return out;
  }
  const Schema<Service> service = service_schema(targets_keys);
  Draft draft = agent_schema(service).parse(root, "", errors);
  check_service_names(root.find("services"), errors);
  check_variables(root, errors);
  draft.global.external_labels =
      expanded(draft.global.external_labels, root.find("global").find("external_labels"), from_environment, errors);
  Dependencies(draft, errors).check();
  out.heartbeat_token_file = token_file(draft.heartbeat, file, errors);
  out.heartbeat_socket = std::move(draft.heartbeat.socket);
  out.global = std::move(draft.global);
  out.rule_files = std::move(draft.rule_files);
  out.promql_compat = draft.promql_compat;
  out.storage = draft.storage;
  out.evidence = draft.evidence;
  out.blackbox = std::move(draft.blackbox);
  out.services = std::move(draft.services);
  for (auto& [name, each] : out.services) each.has_traffic = !each.traffic.is_null();
  out.route = std::move(draft.route);
  out.inhibit_rules = std::move(draft.inhibit_rules);
  out.time_intervals = std::move(draft.time_intervals);
  out.mute_time_intervals = std::move(draft.mute_time_intervals);
  out.templates = std::move(draft.templates);
  out.receivers = std::move(draft.receivers);
  out.fleet = std::move(draft.fleet);
  out.drills = std::move(draft.drills);
  return out;
}

AgentConfig without_nodes(AgentConfig config) {
  for (auto& [name, service] : config.services) {
    service.probes.clear();
    service.probes.shrink_to_fit();
    for (TargetsEntry& entry : service.targets) entry.node = {};
    service.traffic = service.recovery = service.fleet = service.standby = service.place = {};
  }
  config.global.probes_at_once.by_type = {};
  config.blackbox.place = {};
  config.route = config.inhibit_rules = config.time_intervals = config.mute_time_intervals = {};
  config.receivers.clear();
  config.fleet = config.drills = config.root = {};
  return config;
}

AgentConfig load_agent_config(const std::string& path, Errors& errors, TargetsKeys targets_keys) {
  const auto text = base::read_file(path);
  if (text) return parse_agent_config(*text, path, errors, targets_keys);
  errors.add({}, "", text.error().text);
  return {};
}

std::string service_path(const std::string& name) { return detail::join_path("services", name); }

std::vector<KeyReference> agent_config_reference(TargetsKeys targets_keys) {
  const Schema<Service> service = service_schema(targets_keys);
  return agent_schema(service).reference();
}

}  // namespace config
