// `traffic: {nginx: …}` of a service: what the file of server lines is and how nginx is told.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "recover/traffic/nginx.h"

namespace recover {
namespace traffic {
namespace {

struct PeerSettings {
  std::string server;
  int weight = 1;
};

struct Settings {
  std::string upstream, file, self;
  int weight = 1;
  std::vector<PeerSettings> peers;
  int min_live = 0;
  std::vector<std::string> test, reload;
  std::string unit = "nginx.service";
  std::string pid_file;
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
  static const auto s = config::Schema<PeerSettings>("peer")
                            .required("server", &PeerSettings::server, "Its address, as in a server line.")
                            .optional("weight", &PeerSettings::weight, "Its share of the traffic.")
                            .check([](const PeerSettings& p, const config::Complain& complain) {
                              if (!is_address(p.server)) complain("server", kAddress);
                              if (p.weight < 1) complain("weight", "must be at least 1");
                            });
  return s;
}

const auto& schema() {
  static const auto s =
      config::Schema<Settings>("nginx")
          .required("upstream", &Settings::upstream, "Name of the upstream, for messages.")
          .required("file", &Settings::file,
                    "The file that is included inside upstream{}; fettle owns it and its folder is writable for it.")
          .required("self", &Settings::self, "Address of this service in the file: host:port, [v6]:port or unix:/path.")
          .optional("weight", &Settings::weight, "Share of the traffic of this service.")
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
          .check([](const Settings& n, const config::Complain& complain) {
            if (!is_name(n.upstream)) complain("upstream", "must be a name of letters, digits and _.-");
            if (!n.file.starts_with("/")) complain("file", "must be an absolute path");
            if (!n.pid_file.empty() && !n.pid_file.starts_with("/")) complain("pid_file", "must be an absolute path");
            if (!is_address(n.self)) complain("self", kAddress);
            if (n.weight < 1) complain("weight", "must be at least 1");
            if (n.min_live < 0) complain("min_live", "must not be negative");
            for (const PeerSettings& p : n.peers)
              if (p.server == n.self) complain("peers", "must not have the address of self");
            check_argv(n.test, "test", complain);
            check_argv(n.reload, "reload", complain);
          });
  return s;
}

class NginxTraffic final : public Traffic {
 public:
  explicit NginxTraffic(NginxUpstream upstream) : upstream_(std::move(upstream)) {}
  loop::Handle turn(Flow to, const Context& context, const std::string& service, base::Instant deadline,
                    std::function<void(ActionResult)> done) const override {
    if (context.nginx != nullptr) return context.nginx->turn(upstream_, to, service, deadline, std::move(done));
    return context.scheduler.after({}, [done = std::move(done)] { done({"failed", "nginx is not wired in here"}); });
  }
  bool left_drained(const std::string& service) const override { return traffic::left_drained(upstream_, service); }
  std::optional<SystemdJob> systemd_job() const override {
    if (!upstream_.reload.empty()) return std::nullopt;
    return SystemdJob{"reload", upstream_.unit};
  }
  std::string text() const override { return "nginx upstream " + upstream_.upstream; }

 private:
  NginxUpstream upstream_;
};

}  // namespace

std::shared_ptr<const Traffic> parse_nginx(const config::Node& node, const std::string& path, config::Errors& errors) {
  const std::size_t before = errors.size();
  Settings in = schema().parse(node, path, errors);
  if (errors.size() > before) return nullptr;
  NginxUpstream out{in.upstream, in.file, in.self,   in.weight, {},
                    in.min_live, in.test, in.reload, in.unit,   in.pid_file};
  for (const PeerSettings& peer : in.peers) out.peers.push_back({peer.server, peer.weight, {}, false, ""});
  return std::make_shared<NginxTraffic>(std::move(out));
}

}  // namespace traffic

namespace {

struct TrafficSettings {
  std::shared_ptr<const Traffic> nginx;
};

const auto& traffic_schema() {
  static const auto s = config::Schema<TrafficSettings>("traffic").custom(
      "nginx", "The upstream of an nginx on this node that the service is a server of.", "none",
      [](const config::Node& node, TrafficSettings& t, const std::string& path, config::Errors& errors) {
        t.nginx = traffic::parse_nginx(node, path, errors);
      });
  return s;
}

}  // namespace

std::shared_ptr<const Traffic> parse_traffic(const config::Node& node, const std::string& path,
                                             config::Errors& errors) {
  if (node.is_null()) return nullptr;
  return traffic_schema().parse(node, path, errors).nginx;
}

}  // namespace recover
