// One ICMP echo request: is the host there, how far away. It says nothing about any service on it.
#include <array>
#include <utility>

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

struct IcmpSettings {
  std::string host;
  IpProtocol ip_protocol;
  SourceAddress source_ip_address;
  int payload_size = 56;
  int ttl = 0;
  bool dont_fragment = false;
};

const config::Schema<IcmpSettings>& schema() {
  static const auto schema =
      probe_schema<IcmpSettings>("icmp")
          .required("host", &IcmpSettings::host, "Name or address to ping; of a name, its first address.")
          .reach(config::Reach::listed, config::ValueFormat::host)
          .optional("ip_protocol", &IcmpSettings::ip_protocol, "Addresses to use: any, ip4 or ip6.")
          .reach(config::Reach::listed)
          .optional("source_ip_address", &IcmpSettings::source_ip_address,
                    "Address of this host to ask from. Empty: the kernel chooses.")
          .optional("payload_size", &IcmpSettings::payload_size, "Bytes in the echo request.")
          .optional("ttl", &IcmpSettings::ttl, "Hop limit of the request; 0: the kernel's.")
          .optional("dont_fragment", &IcmpSettings::dont_fragment,
                    "Fail with too_large where the path would have to fragment the request.")
          .check([](const IcmpSettings& icmp, const config::Complain& complain) {
            if (const std::string why = config::host_complaint(icmp.host); !why.empty()) complain("host", why);
            if (icmp.payload_size < 8 || icmp.payload_size > 65'000)
              complain("payload_size", "must be between 8 and 65000");
            if (icmp.ttl < 0 || icmp.ttl > 255) complain("ttl", "must be between 0 and 255");
          });
  return schema;
}

struct Prepared {
  net::Ping ping;
  std::string target;
};

class IcmpProbe final : public Probe {
 public:
  IcmpProbe(const Context& context, const Prepared& prepared) : context_(context), prepared_(prepared) {}

  void start(base::Instant deadline, Done done) override {
    done_ = std::move(done);
    net::Ping ping = prepared_.ping;
    ping.deadline = deadline;
    asking_ = context_.dialer.ping(std::move(ping), [this](net::Pinged p) { answered(std::move(p)); });
  }

 private:
  void answered(net::Pinged pinged) {
    Outcome outcome = pinged.failure.reason == Reason::none
                          ? Outcome::success(said(pinged))
                          : Outcome::failure(pinged.failure.reason, std::move(pinged.failure.text));
    for (const char* phase : {"resolve", "setup", "rtt"}) {
      base::Duration took{};
      for (const model::Phase& each : pinged.phases)
        if (each.name == phase) took += each.took;
      outcome.measurements.push_back({"probe_icmp_duration_seconds", model::duration_value(took), {{"phase", phase}}});
    }
    if (pinged.hop_limit)
      outcome.measurements.push_back({"probe_icmp_reply_hop_limit", static_cast<double>(*pinged.hop_limit), {}});
    measure_address(pinged.address, pinged.phases, outcome.measurements);
    outcome.phases = std::move(pinged.phases);
    std::exchange(done_, nullptr)(std::move(outcome));
  }

  static std::string said(const net::Pinged& pinged) {
    const base::Duration rtt = pinged.phases.empty() ? base::Duration{} : pinged.phases.back().took;
    return pinged.address + " answered in " + base::format_duration(std::chrono::ceil<base::Millis>(rtt));
  }

  const Context& context_;
  const Prepared& prepared_;
  Done done_;
  loop::Handle asking_;
};

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner&,
                                      config::Errors& errors) {
  IcmpSettings icmp = schema().parse(node, path, errors);
  Prepared prepared;
  prepared.target = icmp.host;
  prepared.ping.host = std::move(icmp.host);
  prepared.ping.family = icmp.source_ip_address.family(icmp.ip_protocol.family);
  prepared.ping.source = std::move(icmp.source_ip_address.literal);
  prepared.ping.payload_size = static_cast<std::size_t>(icmp.payload_size);
  prepared.ping.hop_limit = icmp.ttl;
  prepared.ping.dont_fragment = icmp.dont_fragment;
  return std::make_unique<PreparedSettings<IcmpProbe, Prepared>>(std::move(prepared));
}

}  // namespace

const Type icmp_type{
    .name = "icmp",
    .summary = "Pings a host: one ICMP echo request, no privilege needed where ping_group_range allows it.",
    .example = R"(name: gateway
type: icmp
host: 192.0.2.1
interval: 5s
timeout: 1s
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {"probe_icmp_duration_seconds", "probe_icmp_reply_hop_limit", "probe_ip_protocol",
                     "probe_ip_addr_hash", "probe_dns_lookup_time_seconds"},
    .keys_of_target = [](std::string_view target) -> std::vector<std::pair<std::string, std::string>> {
      return {{"host", std::string(target)}};
    },
    .other_measurements = std::vector<std::string_view>{},
};

}  // namespace probe
