// The service's real connections, asked of the kernel: are they accepted and read, and does the service answer them?
// Customers may wait while /healthz is green; bytes and times of each connection tell, whatever is spoken on it.
#include <set>
#include <string>
#include <utility>

#include "base/number.h"
#include "loop/scheduler.h"
#include "net/tcp_dump.h"
#include "probe/common/probe_schema.h"
#include "probe/host/socket_tally.h"
#include "probe/own_fault.h"
#include "probe/registry.h"

namespace probe {
namespace {

using model::Outcome;
using model::Reason;

// In one turn of the loop, of some 90 connections each: a millisecond or two.
constexpr std::size_t kDatagramsPerTurn = 8;
constexpr std::size_t kMostPorts = 16;

const config::Schema<SocketsSettings>& schema() {
  static const auto schema =
      probe_schema<SocketsSettings>("sockets")
          .required("ports", &SocketsSettings::ports, "TCP ports on which the service takes connections.")
          .optional("stalled_after", &SocketsSettings::stalled_after,
                    "A request that has got no answer for this long is stalled. Longer than the slowest answer that is "
                    "well; 0s for protocols in which not every message is answered: nothing is judged as stalled then.")
          .optional("max_stalled", &SocketsSettings::max_stalled,
                    "Most requests that may be stalled; with more the run fails with requests_stalled.")
          .optional("max_fill", &SocketsSettings::max_fill,
                    "Part of an accept queue that may be waiting; from there on the run fails with queue_saturated.")
          .check([](const SocketsSettings& sockets, const config::Complain& complain) {
            if (sockets.ports.empty() || sockets.ports.size() > kMostPorts)
              complain("ports", "must name one to " + std::to_string(kMostPorts) + " ports");
            for (const int port : sockets.ports)
              if (port < 1 || port > 65535)
                complain("ports", std::to_string(port) + " is no port; they are between 1 and 65535");
            if (std::set<int>(sockets.ports.begin(), sockets.ports.end()).size() != sockets.ports.size())
              complain("ports", "names a port twice");
            if (sockets.stalled_after < base::Millis{0}) complain("stalled_after", "must not be negative");
            if (sockets.stalled_after.count() > 0 && sockets.stalled_after < base::Millis{100})
              complain("stalled_after", "must be at least 100ms, or 0s");
            if (sockets.max_stalled < 0) complain("max_stalled", "must not be negative");
            if (sockets.max_fill <= 0 || sockets.max_fill > 1) complain("max_fill", "must be above 0 and at most 1");
          });
  return schema;
}

net::TcpDump::Question question_of(const SocketsSettings& settings) {
  net::TcpDump::Question question{.states = {net::TcpState::listen}, .counts = true};
  for (const NamedState& state : counted_states()) question.states.push_back(state.state);
  for (const int port : settings.ports) question.ports.push_back(static_cast<std::uint16_t>(port));
  return question;
}

class SocketsProbe final : public Probe {
 public:
  SocketsProbe(const Context& context, const SocketsSettings& settings, Waits& waits)
      : context_(context), settings_(settings), tally_(settings, waits, context.scheduler.now()) {}

  void start(base::Instant, Done done) override {
    done_ = std::move(done);
    next_ = context_.scheduler.after({}, [this] {
      auto dump = net::TcpDump::open(question_of(settings_));
      if (!dump) return cannot_look(dump.error());
      dump_ = std::move(*dump);
      read_some();
    });
  }

 private:
  void read_some() {
    const auto part = dump_->read(kDatagramsPerTurn, [this](const net::DiagSocket& socket) { tally_.take(socket); });
    if (!part) return cannot_look(part.error());
    if (*part == net::DumpPart::last) return std::exchange(done_, nullptr)(tally_.judge());
    next_ = context_.scheduler.after({}, [this] { read_some(); });
  }
  // Not knowing is no verdict on the service.
  void cannot_look(const base::Error& error) {
    std::exchange(done_, nullptr)(Outcome::failure(Reason::agent_overloaded, error.text));
  }

  const Context& context_;
  const SocketsSettings& settings_;
  SocketTally tally_;
  std::optional<net::TcpDump> dump_;
  Done done_;
  loop::Handle next_;
};

class SocketsTarget final : public Settings {
 public:
  explicit SocketsTarget(SocketsSettings settings) : settings_(std::move(settings)) {}
  std::unique_ptr<Probe> make(const Context& context) const override {
    return std::make_unique<SocketsProbe>(context, settings_, waits_);
  }
  std::string target() const override {
    std::string ports;
    for (const int port : settings_.ports) ports += (ports.empty() ? "" : ", ") + std::to_string(port);
    return "connections to " + ports;
  }

 private:
  SocketsSettings settings_;
  mutable Waits waits_;  // what the runs of one probe remember for the next; loop thread
};

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner&,
                                      config::Errors& errors) {
  return std::make_unique<SocketsTarget>(schema().parse(node, path, errors));
}

}  // namespace

const Type sockets_type{
    .name = "sockets",
    .summary =
        "Looks at the service's real connections in the kernel: requests without an answer, accept queue, states.",
    .example = R"(name: sockets
type: sockets
ports: [8081]
interval: 1s
timeout: 500ms
stalled_after: 5s
max_stalled: 2
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {"probe_sockets_listening", "probe_sockets_queue_length", "probe_sockets_queue_limit",
                     "probe_sockets_queue_fill_ratio", "probe_sockets_connections", "probe_sockets_waiting",
                     "probe_sockets_stalled", "probe_sockets_longest_wait_seconds", "probe_sockets_unread_bytes",
                     "probe_sockets_unacknowledged_bytes", "probe_sockets_retransmitting"},
    .keys_of_target = [](std::string_view target) -> std::vector<std::pair<std::string, std::string>> {
      return {{"ports", "[" + std::string(target) + "]"}};
    },
    // A look that takes too long is the agent's.
    .late = Reason::agent_overloaded,
    .other_measurements = std::vector<std::string_view>{"probe_sockets_rtt_seconds"},
};

}  // namespace probe
