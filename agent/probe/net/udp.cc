// One datagram and its answer. Only an answer is a success: silence proves nothing (the kernel of a host whose service
// hangs is silent too), and a port that is refused is known at once from ICMP.
#include <utility>

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

struct UdpSettings {
  std::string host;
  int port = 0;
  std::string send;
  Pattern expect;
  std::string expect_bytes;
  IpProtocol ip_protocol;
};

const config::Schema<UdpSettings>& schema() {
  static const auto schema =
      probe_schema<UdpSettings>("udp")
          .required("host", &UdpSettings::host, "Name or address to send to.")
          .reach(config::Reach::listed, config::ValueFormat::host)
          .required("port", &UdpSettings::port, "Port to send to.")
          .required("send", &UdpSettings::send, "The datagram, as it is: nothing is added. \"\\x01\" is a byte.")
          .reach(config::Reach::listed)
          .optional("expect", &UdpSettings::expect,
                    "Regular expression (RE2) to find in the answer. Without it any answer is fine.")
          .reach(config::Reach::listed)
          .optional("expect_bytes", &UdpSettings::expect_bytes, "Bytes to find in the answer.")
          .optional("ip_protocol", &UdpSettings::ip_protocol, "Addresses to use: any, ip4 or ip6.")
          .reach(config::Reach::listed)
          .check([](const UdpSettings& udp, const config::Complain& complain) {
            if (const std::string why = config::host_complaint(udp.host); !why.empty()) complain("host", why);
            if (udp.port < 1 || udp.port > 65535) complain("port", "must be between 1 and 65535");
            if (udp.send.size() > 65'000) complain("send", "does not fit into a datagram");
          });
  return schema;
}

struct Prepared {
  net::Dial dial;
  std::string send;
  Pattern expect;
  std::string expect_bytes;
  std::string target;
};

class UdpProbe final : public StreamProbe {
 public:
  UdpProbe(const Context& context, const Prepared& prepared)
      : StreamProbe(context, prepared.dial), prepared_(prepared) {}

 private:
  void connected() override { say(prepared_.send); }

  // Each run has a port of its own: what comes is the answer to this run's datagram.
  void received(std::string& bytes) override {
    const std::string answer = std::exchange(bytes, std::string());
    if (prepared_.expect.regex && !prepared_.expect.regex->found_in(answer)) {
      by_regex_ = true;
      return finish(Outcome::failure(Reason::body_mismatch, "the answer " + base::shown(answer) + " does not match " +
                                                                prepared_.expect.regex->pattern()));
    }
    if (answer.find(prepared_.expect_bytes) == std::string::npos) {
      by_bytes_ = true;
      return finish(Outcome::failure(Reason::body_mismatch, "the answer " + base::shown(answer) + " has no " +
                                                                base::shown(prepared_.expect_bytes)));
    }
    finish(Outcome::success("answered " + std::to_string(answer.size()) + " bytes"));
  }

  void measure(Outcome& outcome) override {
    for (const char* phase : {"resolve", "request"}) {
      base::Duration took{};
      for (const model::Phase& each : outcome.phases)
        if (each.name == phase || (each.name == "processing" && std::string_view(phase) == "request"))
          took += each.took;
      outcome.measurements.push_back({"probe_udp_duration_seconds", model::duration_value(took), {{"phase", phase}}});
    }
    outcome.measurements.push_back({"probe_failed_due_to_regex", by_regex_ ? 1.0 : 0.0, {}});
    outcome.measurements.push_back({"probe_failed_due_to_bytes", by_bytes_ ? 1.0 : 0.0, {}});
  }

  const Prepared& prepared_;
  bool by_regex_ = false;
  bool by_bytes_ = false;
};

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner&,
                                      config::Errors& errors) {
  UdpSettings udp = schema().parse(node, path, errors);
  Prepared prepared;
  prepared.target = written(udp.host, udp.port) + "/udp";
  prepared.dial.host = std::move(udp.host);
  prepared.dial.port = static_cast<std::uint16_t>(udp.port);
  prepared.dial.family = udp.ip_protocol.family;
  prepared.dial.udp = true;
  prepared.send = std::move(udp.send);
  prepared.expect = std::move(udp.expect);
  prepared.expect_bytes = std::move(udp.expect_bytes);
  return std::make_unique<PreparedSettings<UdpProbe, Prepared>>(std::move(prepared));
}

}  // namespace

const Type udp_type{
    .name = "udp",
    .summary = "Sends a datagram and checks the answer; silence is a failure.",
    .example = R"(name: memcached
type: udp
host: 127.0.0.1
port: 11211
send: "\x00\x01\x00\x00\x00\x01\x00\x00version\r\n"
expect: "VERSION 1\\."
interval: 2s
timeout: 500ms
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {"probe_udp_duration_seconds", "probe_failed_due_to_regex", "probe_failed_due_to_bytes",
                     "probe_ip_protocol", "probe_ip_addr_hash", "probe_dns_lookup_time_seconds"},
    .keys_of_target = host_and_port,
    .other_measurements = std::vector<std::string_view>{},
};

}  // namespace probe
