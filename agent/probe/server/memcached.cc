// memcached's text protocol: version and stats, asked in one go.
#include <algorithm>
#include <utility>

#include "base/number.h"
#include "base/text.h"
#include "probe/common/endpoint.h"
#include "probe/common/probe_schema.h"
#include "probe/common/stream_probe.h"
#include "probe/common/values.h"
#include "probe/registry.h"

namespace probe {
namespace {

using model::Outcome;
using model::Reason;

struct MemcachedSettings : EndpointSettings {
  MemcachedSettings() { port = 11211; }
  double max_connections_fill = 0.95;
};

const config::Schema<MemcachedSettings>& schema() {
  static const auto schema = [] {
    auto keys = probe_schema<MemcachedSettings>("memcached");
    add_endpoint_keys(keys);
    return keys
        .optional("max_connections_fill", &MemcachedSettings::max_connections_fill,
                  "Part of the server's connections that may be taken; above it the run fails with queue_saturated.")
        .check([](const MemcachedSettings& memcached, const config::Complain& complain) {
          if (memcached.max_connections_fill <= 0 || memcached.max_connections_fill > 1)
            complain("max_connections_fill", "must be above 0 and at most 1");
        });
  }();
  return schema;
}

// Statistics that are measured, and their names.
constexpr std::pair<std::string_view, const char*> kStatistics[] = {
    {"uptime", "probe_memcached_uptime_seconds"},
    {"curr_connections", "probe_memcached_connections"},
    {"max_connections", "probe_memcached_connections_limit"},
    {"listen_disabled_num", "probe_memcached_listen_disabled"},
    {"accepting_conns", "probe_memcached_accepting"},
    {"curr_items", "probe_memcached_items"},
    {"bytes", "probe_memcached_bytes"},
    {"limit_maxbytes", "probe_memcached_bytes_limit"},
    {"get_hits", "probe_memcached_get_hits"},
    {"get_misses", "probe_memcached_get_misses"},
    {"evictions", "probe_memcached_evictions"},
};

constexpr std::size_t kLineLimit = 1024;
constexpr std::uint64_t kMostCounted = std::uint64_t{1} << 53;  // a number in a double and back again

using Prepared = EndpointTarget<MemcachedSettings>;

class MemcachedProbe final : public StreamProbe {
 public:
  MemcachedProbe(const Context& context, const Prepared& prepared)
      : StreamProbe(context, prepared.dial), settings_(prepared.settings), target_(prepared.target) {}

 private:
  void connected() override { say("version\r\nstats\r\n"); }

  void received(std::string& bytes) override {
    for (std::size_t end = bytes.find("\r\n"); end <= kLineLimit; end = bytes.find("\r\n")) {
      const std::string line = bytes.substr(0, end);
      bytes.erase(0, end + 2);
      if (line == "END" && !version_.empty()) return judge();
      if (line.starts_with("VERSION ")) version_ = line.substr(8);
      else if (line.starts_with("STAT ") && !version_.empty()) read_statistic(std::string_view(line).substr(5));
      else if (line.starts_with("CLIENT_ERROR unauthenticated"))
        return fail(Reason::auth_failed, "wants a login, which this probe does not speak");
      else
        return fail(Reason::protocol_error, "does not speak memcached's text protocol; it sent " + base::shown(line));
    }
    if (bytes.size() > kLineLimit + 1) fail(Reason::protocol_error, "does not speak memcached's text protocol");
  }

  void read_statistic(std::string_view text) {
    const std::size_t blank = text.find(' ');
    const std::string_view name = text.substr(0, blank);
    const auto known = std::find_if(std::begin(kStatistics), std::end(kStatistics),
                                    [&](const auto& each) { return each.first == name; });
    if (blank == std::string_view::npos || known == std::end(kStatistics)) return;
    const auto value = base::leading_number<std::uint64_t>(text.substr(blank + 1)).value_or(0);
    learnt_.push_back({known->second, static_cast<double>(std::min(value, kMostCounted)), {}});
  }

  double statistic(std::string_view name, double otherwise) const {
    for (const auto& each : learnt_)
      if (each.name == name) return each.value;
    return otherwise;
  }

  void judge() {
    const double taken = statistic("probe_memcached_connections", 0);
    const double limit = statistic("probe_memcached_connections_limit", 0);
    const std::string connections = std::to_string(static_cast<long>(taken)) + " of " +
                                    std::to_string(static_cast<long>(limit)) + " connections are taken";
    if (statistic("probe_memcached_accepting", 1) == 0)
      return fail(Reason::queue_saturated, "takes no more connections; " + connections);
    if (limit > 0 && taken > limit * settings_.max_connections_fill)
      return fail(Reason::queue_saturated, "is nearly full: " + connections);
    say_last("quit\r\n", Outcome::success(target_ + " is memcached " + version_));
  }

  void measure(Outcome& outcome) override {
    for (auto& measurement : learnt_) outcome.measurements.push_back(std::move(measurement));
  }

  void fail(Reason reason, const std::string& what) { finish(Outcome::failure(reason, target_ + " " + what)); }

  const MemcachedSettings& settings_;
  const std::string& target_;
  std::string version_;
  Measurements learnt_;
};

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner&,
                                      config::Errors& errors) {
  Prepared prepared = endpoint_target(schema().parse(node, path, errors), TlsBegins::at_once, node, path, errors);
  return std::make_unique<PreparedSettings<MemcachedProbe, Prepared>>(std::move(prepared));
}

}  // namespace

const Type memcached_type{
    .name = "memcached",
    .summary = "Asks memcached for its version and statistics, and whether it still takes connections.",
    .example = R"(name: memcached
type: memcached
host: 127.0.0.1
port: 11211
interval: 5s
timeout: 500ms
max_connections_fill: 0.9
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {"probe_memcached_uptime_seconds", "probe_memcached_connections", "probe_memcached_items"},
    .keys_of_target = [](std::string_view target) -> std::vector<std::pair<std::string, std::string>> {
      if (target.starts_with("/")) return {{"unix_socket", std::string(target)}};
      auto keys = host_and_port(target);
      if (keys.back().second.empty()) keys.pop_back();
      return keys;
    },
    .other_measurements =
        with_chain({"probe_memcached_connections_limit", "probe_memcached_listen_disabled", "probe_memcached_accepting",
                    "probe_memcached_bytes", "probe_memcached_bytes_limit", "probe_memcached_get_hits",
                    "probe_memcached_get_misses", "probe_memcached_evictions", "probe_ip_protocol",
                    "probe_ip_addr_hash", "probe_dns_lookup_time_seconds"}),
};

}  // namespace probe
