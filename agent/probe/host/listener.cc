// Whether a server listens on a TCP or UDP port, and reads what arrives: asked of the kernel, without a packet. A
// connection to a hung server succeeds until its queue is full, and each such probe fills the queue; a datagram that is
// not read is not refused either.
#include <arpa/inet.h>

#include <utility>

#include "base/host_port.h"
#include "loop/scheduler.h"
#include "net/listening_sockets.h"
#include "probe/common/probe_schema.h"
#include "probe/common/values.h"
#include "probe/host/accept_queue.h"
#include "probe/registry.h"

namespace probe {
namespace {

using model::Outcome;
using model::Reason;
using net::ListeningSocket;

struct ListenerSettings {
  int port = 0;
  std::string transport_protocol = "tcp";
  std::string address;
  double max_fill = 0.8;
};

// Also with a zone, which the kernel lists apart from the address.
bool is_literal(const std::string& text) {
  in6_addr address{};
  return ::inet_pton(AF_INET, text.c_str(), &address) == 1 ||
         ::inet_pton(AF_INET6, base::without_zone(text).c_str(), &address) == 1;
}

const config::Schema<ListenerSettings>& schema() {
  static const auto schema =
      probe_schema<ListenerSettings>("listener")
          .required("port", &ListenerSettings::port, "Port that a process must listen on.")
          .optional("transport_protocol", &ListenerSettings::transport_protocol, "tcp or udp.")
          .optional("address", &ListenerSettings::address,
                    "Address of this node at which the port must be reachable. Empty: any.")
          .reach(config::Reach::listed, config::ValueFormat::host)
          .optional("max_fill", &ListenerSettings::max_fill,
                    "Part of the accept queue, or of UDP's receive buffer, that may be waiting; from there on the run "
                    "fails with queue_saturated.")
          .check([](const ListenerSettings& listener, const config::Complain& complain) {
            if (listener.port < 1 || listener.port > 65535) complain("port", "must be between 1 and 65535");
            if (listener.transport_protocol != "tcp" && listener.transport_protocol != "udp")
              complain("transport_protocol", "must be tcp or udp");
            if (!listener.address.empty() && !is_literal(listener.address))
              complain("address", "must be an address such as 127.0.0.1 or ::1");
            if (listener.max_fill <= 0 || listener.max_fill > 1) complain("max_fill", "must be above 0 and at most 1");
          });
  return schema;
}

Outcome judge(const ListenerSettings& settings, const std::string& target, std::vector<ListeningSocket> all) {
  std::string others;
  for (const ListeningSocket& listener : all)
    others += (others.empty() ? "" : ", ") + written(listener.address, listener.port);
  if (!settings.address.empty())
    std::erase_if(
        all, [&](const ListeningSocket& listener) { return !listener.takes(base::without_zone(settings.address)); });
  if (all.empty()) {
    Outcome outcome = Outcome::failure(
        Reason::refused, "nobody listens on " + target + (others.empty() ? "" : "; somebody does on " + others));
    outcome.measurements.push_back({"probe_listener_sockets", 0, {}});
    return outcome;
  }
  const ListeningSocket& worst = *fullest(all);
  std::uint64_t waiting = 0;
  std::uint64_t limit = 0;
  std::uint64_t drops = 0;
  for (const ListeningSocket& listener : all)
    waiting += listener.waiting, limit += listener.limit, drops += listener.drops;
  Outcome outcome = Outcome::success(written(worst.address, worst.port) + " is listened on, " + places_text(worst));
  if (worst.fill() >= settings.max_fill)
    outcome = Outcome::failure(Reason::queue_saturated, saturated_text(worst, settings.max_fill));
  outcome.measurements.push_back({"probe_listener_sockets", static_cast<double>(all.size()), {}});
  const bool udp = worst.udp;
  const auto measure = [&outcome](const char* name, std::uint64_t value) {
    outcome.measurements.push_back({name, static_cast<double>(value), {}});
  };
  measure(udp ? "probe_listener_receive_buffer_bytes" : "probe_listener_queue_length", waiting);
  measure(udp ? "probe_listener_receive_buffer_limit_bytes" : "probe_listener_queue_limit", limit);
  if (udp) measure("probe_listener_dropped_datagrams", drops);
  outcome.measurements.push_back({"probe_listener_queue_fill_ratio", worst.fill(), {}});
  return outcome;
}

class ListenerProbe final : public Probe {
 public:
  ListenerProbe(const Context& context, const ListenerSettings& settings, const std::string& target)
      : context_(context), settings_(settings), target_(target) {}

  void start(base::Instant, Done done) override {
    looking_ = context_.scheduler.after({}, [this, done = std::move(done)] {
      const auto port = static_cast<std::uint16_t>(settings_.port);
      auto all =
          settings_.transport_protocol == "udp" ? net::udp_listening_sockets(port) : net::tcp_listening_sockets(port);
      // Not knowing is no verdict on the service.
      if (!all) return done(Outcome::failure(Reason::agent_overloaded, all.error().text));
      done(judge(settings_, target_, std::move(*all)));
    });
  }

 private:
  const Context& context_;
  const ListenerSettings& settings_;
  const std::string& target_;
  loop::Handle looking_;
};

class ListenerTarget final : public Settings {
 public:
  explicit ListenerTarget(ListenerSettings settings)
      : settings_(std::move(settings)),
        target_((settings_.transport_protocol == "udp" ? "UDP " : "") +
                (settings_.address.empty() ? "port " + std::to_string(settings_.port)
                                           : written(settings_.address, settings_.port))) {}
  std::unique_ptr<Probe> make(const Context& context) const override {
    return std::make_unique<ListenerProbe>(context, settings_, target_);
  }
  std::string target() const override { return target_; }

 private:
  ListenerSettings settings_;
  std::string target_;
};

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner&,
                                      config::Errors& errors) {
  return std::make_unique<ListenerTarget>(schema().parse(node, path, errors));
}

}  // namespace

const Type listener_type{
    .name = "listener",
    .summary = "Asks the kernel whether a TCP or UDP port is listened on and its queue is taken care of.",
    .example = R"(name: listener
type: listener
port: 8081
interval: 1s
timeout: 500ms
max_fill: 0.5
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {"probe_listener_sockets", "probe_listener_queue_fill_ratio"},
    .keys_of_target = [](std::string_view target) -> std::vector<std::pair<std::string, std::string>> {
      if (target.find(':') == std::string_view::npos) return {{"port", std::string(target)}};
      auto keys = host_and_port(target);
      keys.front().first = "address";
      return keys;
    },
    .other_measurements =
        std::vector<std::string_view>{"probe_listener_queue_length", "probe_listener_queue_limit",
                                      "probe_listener_receive_buffer_bytes",
                                      "probe_listener_receive_buffer_limit_bytes", "probe_listener_dropped_datagrams"},
};

}  // namespace probe
