// `traffic: {nginx: …}` of a service: what the file of server lines is and how nginx is told.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "config/schema.h"
#include "loop/scheduler.h"
#include "recover/traffic/nginx.h"
#include "recover/traffic/traffic.h"

namespace recover {
namespace {

using traffic::is_address;
using traffic::Nginx;
using traffic::NginxUpstream;

struct PeerSettings {
  std::string server;
  std::optional<int> weight{};
};

struct Settings {
  std::string upstream, file, self;
  std::optional<int> weight{};
  std::vector<PeerSettings> peers;
  int min_live = 0;
  std::vector<std::string> test, reload;
  std::string unit = "nginx.service";
  std::string pid_file;
  base::Millis in_flight{10'000};
  bool health_checks = false;
};

bool is_name(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  });
}

constexpr std::string_view kAddress = "must be host:port, [address]:port or unix:/path, as in nginx's server lines";

void check_argv(const std::vector<std::string>& argv, std::string_view key, const config::Complain& complain) {
  if (!argv.empty() && !argv.front().starts_with("/"))
    complain(key, "there is no shell: write a list that begins with an absolute path, [/usr/sbin/nginx, -t]");
}

const auto& peer_schema() {
  static const auto s =
      config::Schema<PeerSettings>("peer")
          .required("server", &PeerSettings::server, "Its address, as in a server line.")
          .optional("weight", &PeerSettings::weight, "Its share of the traffic; without it what the file says, or 1.")
          .check([](const PeerSettings& p, const config::Complain& complain) {
            if (!is_address(p.server)) complain("server", kAddress);
            if (p.weight.value_or(1) < 1) complain("weight", "must be at least 1");
          });
  return s;
}

const auto& schema() {
  static const auto s =
      config::Schema<Settings>("nginx")
          .required("upstream", &Settings::upstream, "Name of the upstream, for messages.")
          .required(
              "file", &Settings::file,
              "The file that is included inside upstream{}; fettle owns it and its folder is writable for it. What it "
              "says besides stays: weights, parameters, comments, the order of its lines.")
          .required("self", &Settings::self, "Address of this service in the file: host:port, [v6]:port or unix:/path.")
          .optional("weight", &Settings::weight,
                    "Share of the traffic of this service; without it what the file says, or 1.")
          .list("peers", &Settings::peers, peer_schema(),
                "The other servers of the upstream. Servers that the file has besides stay in it.")
          .optional("min_live", &Settings::min_live,
                    "Servers that must be left when this one is taken out; 0: half of them, at least one.")
          .optional("test", &Settings::test,
                    "Program and arguments that must succeed before the reload, such as [/usr/sbin/nginx, -t].")
          .optional("reload", &Settings::reload,
                    "Program and arguments that reload nginx; without it systemd reloads the unit.")
          .optional("unit", &Settings::unit, "nginx's systemd unit.")
          .optional("pid_file", &Settings::pid_file,
                    "nginx's pid file; with it a reload counts only when new workers are seen.")
          .optional("in_flight", &Settings::in_flight,
                    "How long a drain waits until nginx' old workers have answered what they were asked; needs "
                    "pid_file.")
          .optional("health_checks", &Settings::health_checks,
                    "Active health checks: the server is also down in nginx while the service is, with or without a "
                    "recovery plan.")
          .check([](const Settings& n, const config::Complain& complain) {
            if (!is_name(n.upstream)) complain("upstream", "must be a name of letters, digits and _.-");
            if (!n.file.starts_with("/")) complain("file", "must be an absolute path");
            if (!n.pid_file.empty() && !n.pid_file.starts_with("/")) complain("pid_file", "must be an absolute path");
            if (!is_address(n.self)) complain("self", kAddress);
            if (n.weight.value_or(1) < 1) complain("weight", "must be at least 1");
            if (n.min_live < 0) complain("min_live", "must not be negative");
            for (const PeerSettings& p : n.peers)
              if (p.server == n.self) complain("peers", "must not have the address of self");
            check_argv(n.test, "test", complain);
            check_argv(n.reload, "reload", complain);
          });
  return s;
}

class NginxAdapter final : public Adapter {
 public:
  NginxAdapter(NginxUpstream upstream, std::string service, const TrafficContext& context)
      : upstream_(std::move(upstream)),
        service_(std::move(service)),
        scheduler_(context.scheduler),
        nginx_(*context.nginx) {}
  loop::Handle apply(const DesiredState& to, base::Instant deadline, std::function<void(ApplyResult)> done) override {
    return nginx_.apply(upstream_, to, service_, deadline, std::move(done));
  }
  bool left_drained() const override { return traffic::left_drained(upstream_, service_); }
  bool can_forget() const override { return true; }
  loop::Handle look(base::Instant, std::function<void(std::string)> done) override {
    return scheduler_.after({}, [this, done = std::move(done)] { done(traffic::complaint_about(upstream_)); });
  }

 private:
  NginxUpstream upstream_;
  std::string service_;
  loop::Scheduler& scheduler_;
  Nginx& nginx_;
};

NginxUpstream upstream_of(const Settings& in) {
  NginxUpstream out{in.upstream, in.file,   in.self, in.weight,   {},           in.min_live,
                    in.test,     in.reload, in.unit, in.pid_file, in.in_flight, in.health_checks};
  for (const PeerSettings& peer : in.peers) out.peers.push_back({peer.server, peer.weight});
  return out;
}

class NginxPlace final : public TrafficPlace {
 public:
  explicit NginxPlace(const Settings& settings) : upstream_(upstream_of(settings)) {}
  std::unique_ptr<Adapter> start(const TrafficContext& context, const std::string& service) const override {
    return std::make_unique<NginxAdapter>(upstream_, service, context);
  }
  bool follows_health() const override { return upstream_.health_checks; }
  std::optional<SystemdJob> systemd_job() const override {
    if (!upstream_.reload.empty()) return std::nullopt;
    return SystemdJob{"reload", upstream_.unit};
  }
  std::string text() const override { return "nginx upstream " + upstream_.upstream; }
  std::string complaint() const override { return traffic::complaint_about(upstream_); }

 private:
  NginxUpstream upstream_;
};

std::unique_ptr<const TrafficPlace> parse(const config::Node& node, const std::string& path, config::Errors& errors) {
  return schema().make<NginxPlace>(node, path, errors);
}

const std::vector<config::KeyReference>& reference() { return schema().reference(); }

}  // namespace

extern const TrafficType nginx_traffic;
const TrafficType nginx_traffic{"nginx", "The upstream of an nginx on this node that the service is a server of.",
                                "{nginx: {upstream: order, file: /etc/nginx/fettle/order.conf, self: "
                                "\"127.0.0.1:8081\", pid_file: /run/nginx.pid}}",
                                reference, parse};

}  // namespace recover
