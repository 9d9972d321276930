// HAProxy over its stats socket: what it holds of its own backends and servers. `show info` and `show stat` as in its
// management guide, 9.3; the server closes after its answer.
#include <algorithm>
#include <utility>

#include "base/number.h"
#include "base/text.h"
#include "config/request.h"
#include "net/stream.h"
#include "probe/common/probe_schema.h"
#include "probe/common/stream_probe.h"
#include "probe/common/values.h"
#include "probe/registry.h"

namespace probe {
namespace {

using model::Outcome;
using model::Reason;

struct HaproxySettings {
  std::string unix_socket = "/run/haproxy/admin.sock";
  std::string host;
  int port = 0;
  std::vector<std::string> backends;
  int min_servers = 1;
};

const config::Schema<HaproxySettings>& schema() {
  static const auto schema =
      probe_schema<HaproxySettings>("haproxy")
          .optional("unix_socket", &HaproxySettings::unix_socket, "The stats socket; level user is enough.")
          .reach(config::Reach::file, config::ValueFormat::path)
          .optional("host", &HaproxySettings::host, "Address of a stats socket on TCP, with port, instead.")
          .reach(config::Reach::listed, config::ValueFormat::host)
          .optional("port", &HaproxySettings::port, "Port of a stats socket on TCP.")
          .optional("backends", &HaproxySettings::backends, "Backends that must be up. Empty: all of them.")
          .reach(config::Reach::listed)
          .optional("min_servers", &HaproxySettings::min_servers,
                    "Servers that each of these backends must have up at least.")
          .check([](const HaproxySettings& haproxy, const config::Complain& complain) {
            if (haproxy.host.empty() && (haproxy.unix_socket.empty() || haproxy.unix_socket[0] != '/'))
              complain("unix_socket", "must be an absolute path");
            if (const std::string why = haproxy.host.empty() ? "" : config::host_complaint(haproxy.host); !why.empty())
              complain("host", why);
            if (!haproxy.host.empty() && (haproxy.port < 1 || haproxy.port > 65535))
              complain("port", "must be between 1 and 65535");
            if (haproxy.min_servers < 0) complain("min_servers", "must not be negative");
          });
  return schema;
}

std::vector<std::string> cells_of(std::string_view line) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') quoted = !quoted;
    else if (c == ',' && !quoted) cells.emplace_back();
    else cells.back() += c;
  }
  return cells;
}

struct Prepared {
  HaproxySettings settings;
  net::Dial dial;
  std::string target;
};

class HaproxyProbe final : public StreamProbe {
 public:
  HaproxyProbe(const Context& context, const Prepared& prepared)
      : StreamProbe(context, prepared.dial), settings_(prepared.settings), target_(prepared.target) {}

 private:
  struct Backend {
    std::string name, status;
    int up = 0, servers = 0;
  };

  void connected() override { say("show info;show stat\n"); }

  // Lines are taken as they come: a long list of servers is never held as a whole.
  void received(std::string& bytes) override {
    for (std::size_t end = bytes.find('\n'); end != std::string::npos && !finished(); end = bytes.find('\n')) {
      const std::string line = bytes.substr(0, end);
      bytes.erase(0, end + 1);
      read_line(line);
    }
  }

  bool closed_by_peer() override {
    if (columns_.empty()) return false;
    judge();
    return true;
  }

  void read_line(const std::string& line) {
    if (line.empty()) return;
    if (line.starts_with("# ")) {
      columns_ = cells_of(std::string_view(line).substr(2));
    } else if (!columns_.empty()) {
      read_row(cells_of(line));
    } else if (const std::size_t colon = line.find(": "); colon != std::string::npos) {
      read_fact(line.substr(0, colon), std::string_view(line).substr(colon + 2));
    } else if (line.starts_with("Permission denied") || line.starts_with("Unknown command")) {
      finish(Outcome::failure(Reason::auth_failed, target_ + " answered: " + line));
    } else {
      finish(
          Outcome::failure(Reason::protocol_error,
                           target_ + " does not speak as HAProxy's stats socket does; it sent " + base::shown(line)));
    }
  }

  void read_fact(const std::string& key, std::string_view text) {
    static constexpr std::pair<std::string_view, const char*> kFacts[] = {
        {"Uptime_sec", "probe_haproxy_uptime_seconds"}, {"CurrConns", "probe_haproxy_connections"},
        {"Maxconn", "probe_haproxy_connections_limit"}, {"Idle_pct", "probe_haproxy_idle_percent"},
        {"Stopping", "probe_haproxy_stopping"},
    };
    if (key == "Version") version_ = text;
    for (const auto& [fact, name] : kFacts)
      if (fact == key) add_number(name, text, {});
  }

  void add_number(const char* name, std::string_view text, model::Labels labels) {
    if (const auto value = base::leading_number<double>(text)) learnt_.push_back({name, *value, std::move(labels)});
  }

  std::string_view cell(const std::vector<std::string>& row, std::string_view column) const {
    const auto at = static_cast<std::size_t>(std::find(columns_.begin(), columns_.end(), column) - columns_.begin());
    return at < row.size() ? std::string_view(row[at]) : std::string_view();
  }

  void read_row(const std::vector<std::string>& row) {
    const std::string_view proxy = cell(row, "pxname"), server = cell(row, "svname"), status = cell(row, "status");
    if (proxy.empty() || server.empty()) return;
    if (server == "FRONTEND") {
      learnt_.push_back({"probe_haproxy_frontend_open", status == "OPEN" ? 1.0 : 0.0, {{"frontend", proxy}}});
      add_number("probe_haproxy_frontend_sessions", cell(row, "scur"), {{"frontend", proxy}});
      return;
    }
    // "UP 1/3" is going down, "no check" is taken as up by HAProxy, too; DRAIN and MAINT get no new traffic.
    const bool up = status.starts_with("UP") || status == "no check" || status == "OPEN";
    if (server == "BACKEND") {
      learnt_.push_back({"probe_haproxy_backend_up", up ? 1.0 : 0.0, {{"backend", proxy}}});
      add_number("probe_haproxy_backend_queue", cell(row, "qcur"), {{"backend", proxy}});
      backend(proxy).status = status;
      return;
    }
    learnt_.push_back({"probe_haproxy_server_up", up ? 1.0 : 0.0, {{"backend", proxy}, {"server", server}}});
    add_number("probe_haproxy_server_queue", cell(row, "qcur"), {{"backend", proxy}, {"server", server}});
    Backend& of = backend(proxy);
    ++of.servers;
    of.up += up ? 1 : 0;
  }

  Backend& backend(std::string_view name) {
    for (Backend& known : backends_)
      if (known.name == name) return known;
    return backends_.emplace_back(Backend{std::string(name), "", 0, 0});
  }

  void judge() {
    for (const std::string& wanted : settings_.backends)
      if (std::none_of(backends_.begin(), backends_.end(), [&](const Backend& b) { return b.name == wanted; }))
        return fail("has no backend " + wanted);
    for (const Backend& each : backends_) {
      const auto& wanted = settings_.backends;
      if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), each.name) == wanted.end()) continue;
      const std::string servers = std::to_string(each.up) + " of its " + std::to_string(each.servers) + " servers up";
      if (!each.status.starts_with("UP") && !each.status.empty())
        return fail("says that backend " + each.name + " is " + each.status + ", with " + servers);
      if (each.servers > 0 && each.up < settings_.min_servers)
        return fail("says that backend " + each.name + " has " + servers + "; min_servers is " +
                    std::to_string(settings_.min_servers));
    }
    finish(Outcome::success(target_ + " is HAProxy " + version_ + " with " + std::to_string(backends_.size()) +
                            " backends"));
  }

  void measure(Outcome& outcome) override {
    for (auto& measurement : learnt_) outcome.measurements.push_back(std::move(measurement));
  }

  void fail(const std::string& what) { finish(Outcome::failure(Reason::status_mismatch, target_ + " " + what)); }

  const HaproxySettings& settings_;
  const std::string& target_;
  std::string version_;
  std::vector<std::string> columns_;  // of show stat; empty: it has not begun
  std::vector<Backend> backends_;
  Measurements learnt_;
};

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner&,
                                      config::Errors& errors) {
  Prepared prepared;
  HaproxySettings& haproxy = prepared.settings;
  haproxy = schema().parse(node, path, errors);
  if (haproxy.host.empty()) prepared.dial.unix_path = haproxy.unix_socket;
  prepared.dial.host = haproxy.host;
  prepared.dial.port = static_cast<std::uint16_t>(haproxy.port);
  prepared.target = haproxy.host.empty() ? haproxy.unix_socket : written(haproxy.host, haproxy.port);
  return std::make_unique<PreparedSettings<HaproxyProbe, Prepared>>(std::move(prepared));
}

}  // namespace

const Type haproxy_type{
    .name = "haproxy",
    .summary = "Asks HAProxy's stats socket for the states of its backends and servers.",
    .example = R"(name: haproxy
type: haproxy
interval: 2s
timeout: 500ms
unix_socket: /run/haproxy/admin.sock
backends: [order, payment]
min_servers: 2
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {"probe_haproxy_uptime_seconds", "probe_haproxy_connections"},
    .keys_of_target = [](std::string_view target) -> std::vector<std::pair<std::string, std::string>> {
      if (target.starts_with("/")) return {{"unix_socket", std::string(target)}};
      return host_and_port(target);
    },
    .other_measurements =
        with_chain({"probe_haproxy_connections_limit", "probe_haproxy_idle_percent", "probe_haproxy_stopping",
                    "probe_haproxy_frontend_open", "probe_haproxy_frontend_sessions", "probe_haproxy_backend_up",
                    "probe_haproxy_backend_queue", "probe_haproxy_server_up", "probe_haproxy_server_queue",
                    "probe_ip_protocol", "probe_ip_addr_hash", "probe_dns_lookup_time_seconds"}),
};

}  // namespace probe
