// A connection that is held for as long as the peer lives: its end is an event, so that the confirming run comes within
// a millisecond of a crash, without any right over the process. Runs connect anew.
#include <algorithm>
#include <utility>

#include "config/request.h"
#include "loop/scheduler.h"
#include "probe/common/probe_schema.h"
#include "probe/net/connect_probe.h"
#include "probe/registry.h"

namespace probe {
namespace {

using namespace std::chrono_literals;

constexpr base::Duration kFirstPause = 100ms;
constexpr base::Duration kLongestPause = 60s;
// What ends sooner was not held: a server that takes connections only to close them is left to the runs.
constexpr base::Duration kHeld = 1s;
constexpr base::Duration kForever = std::chrono::hours{24 * 365};

struct ConnectionSettings {
  std::string host = "127.0.0.1";
  int port = 0;
  std::string unix_socket;
  IpProtocol ip_protocol;
};

const config::Schema<ConnectionSettings>& schema() {
  static const auto schema =
      probe_schema<ConnectionSettings>("connection")
          .optional("host", &ConnectionSettings::host, "Name or address to connect to.")
          .reach(config::Reach::listed, config::ValueFormat::host)
          .optional("port", &ConnectionSettings::port, "Port to connect to.")
          .optional("unix_socket", &ConnectionSettings::unix_socket,
                    "Unix socket to connect to, instead of host and port.")
          .reach(config::Reach::file, config::ValueFormat::path)
          .optional("ip_protocol", &ConnectionSettings::ip_protocol, "Addresses to use: any, ip4 or ip6.")
          .reach(config::Reach::listed)
          .check([](const ConnectionSettings& connection, const config::Complain& complain) {
            if (!connection.unix_socket.empty() && connection.unix_socket[0] != '/')
              complain("unix_socket", "must be an absolute path");
            if (connection.unix_socket.empty() && (connection.port < 1 || connection.port > 65535))
              complain("port", "must be between 1 and 65535, unless there is a unix_socket");
            if (const std::string why = config::host_complaint(connection.host); !why.empty()) complain("host", why);
          });
  return schema;
}

class HeldConnection final : public EventSource {
 public:
  HeldConnection(const Context& context, const ConnectSettings& settings, OnEvent on_event)
      : context_(context), settings_(settings), on_event_(std::move(on_event)) {
    connect();
  }

  void describe(model::Outcome& outcome) const override {
    outcome.measurements.push_back({"probe_event_source_active", stream_ ? 1.0 : 0.0, {{"source", "connection"}}});
  }

 private:
  void connect() {
    net::Dial dial = settings_.dial;
    dial.deadline = context_.scheduler.now() + kForever;
    pending_ = context_.dialer.connect(std::move(dial), [this](net::Connected c) { on_connected(std::move(c)); });
  }

  void on_connected(net::Connected connected) {
    if (!connected.stream) return try_later();
    stream_ = std::move(connected.stream);
    since_ = context_.scheduler.now();
    // What the peer says is of no interest; that it has stopped being there is.
    stream_->read([this](std::string_view bytes, const net::StreamFailure* failure) {
      if (failure) lost(failure->text);
      else if (bytes.empty()) lost(settings_.target + " closed the connection that was held");
    });
  }

  void lost(std::string text) {
    const base::Instant now = context_.scheduler.now();
    const base::Duration held = now - since_;
    stream_.reset();
    if (held >= kLongestPause) pause_ = kFirstPause;
    try_later();
    if (held >= kHeld) on_event_({"connection", std::move(text), now});
  }

  void try_later() {
    pending_ = context_.scheduler.after(pause_, [this] { connect(); });
    pause_ = std::min(pause_ * 2, kLongestPause);
  }

  const Context& context_;
  const ConnectSettings& settings_;
  OnEvent on_event_;
  std::unique_ptr<net::Stream> stream_;
  base::Instant since_{};
  base::Duration pause_ = kFirstPause;
  loop::Handle pending_;
};

class Connection final : public Settings {
 public:
  explicit Connection(ConnectSettings settings) : settings_(std::move(settings)) {}
  std::unique_ptr<Probe> make(const Context& context) const override {
    return std::make_unique<ConnectProbe>(context, settings_);
  }
  std::unique_ptr<EventSource> watch(const Context& context, OnEvent on_event) const override {
    return std::make_unique<HeldConnection>(context, settings_, std::move(on_event));
  }
  std::string target() const override { return settings_.target; }

 private:
  ConnectSettings settings_;
};

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner&,
                                      config::Errors& errors) {
  ConnectionSettings settings = schema().parse(node, path, errors);
  ConnectSettings connect;
  connect.target = settings.unix_socket.empty() ? written(settings.host, settings.port) : settings.unix_socket;
  connect.dial.unix_path = std::move(settings.unix_socket);
  connect.dial.host = std::move(settings.host);
  connect.dial.port = static_cast<std::uint16_t>(settings.port);
  connect.dial.family = settings.ip_protocol.family;
  return std::make_unique<Connection>(std::move(connect));
}

}  // namespace

const Type connection_type{
    .name = "connection",
    .summary =
        "Holds a connection and notices its end by event; each run makes a new connection. Takes one of the server's "
        "connections.",
    .example = R"yaml(name: connection
type: connection
host: 127.0.0.1
port: 6379
interval: 5s
timeout: 500ms
)yaml",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .keys_of_target = [](std::string_view target) -> std::vector<std::pair<std::string, std::string>> {
      if (target.starts_with("/")) return {{"unix_socket", std::string(target)}};
      return host_and_port(target);
    },
    .late = model::Reason::connect_timeout,
    .other_measurements = {{"probe_ip_protocol", "probe_ip_addr_hash", "probe_dns_lookup_time_seconds",
                            "probe_failed_due_to_regex", "probe_event_source_active"}},
};

}  // namespace probe
