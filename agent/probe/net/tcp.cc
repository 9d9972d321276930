// A TCP connection, TLS if asked, and a dialogue over it. A connection alone proves little: a hung server's kernel goes
// on accepting until its queue is full; expect something.
#include <utility>

#include "config/request.h"
#include "net/tls/tls.h"
#include "net/tls/tls_config.h"
#include "probe/common/probe_schema.h"
#include "probe/common/stream_probe.h"
#include "probe/net/connect_probe.h"
#include "probe/registry.h"

namespace probe {
namespace {

struct TcpSettings {
  std::string host;
  int port = 0;
  bool tls = false;
  net::TlsSettings tls_config;
  IpProtocol ip_protocol;
  SourceAddress source_ip_address;
  std::vector<SendExpect> query_response;
};

const config::Schema<TcpSettings>& schema() {
  static const auto schema =
      probe_schema<TcpSettings>("tcp")
          .required("host", &TcpSettings::host, "Name or address to connect to.")
          .reach(config::Reach::listed, config::ValueFormat::host)
          .required("port", &TcpSettings::port, "Port to connect to.")
          .optional("tls", &TcpSettings::tls, "Speak TLS after connecting.")
          .optional("tls_config", &TcpSettings::tls_config, net::tls_schema(), "How to speak TLS, also after starttls.")
          .optional("ip_protocol", &TcpSettings::ip_protocol, "Addresses to use: any, ip4 or ip6.")
          .reach(config::Reach::listed)
          .optional("source_ip_address", &TcpSettings::source_ip_address,
                    "Address of this host to connect from. Empty: the kernel chooses.")
          .list("query_response", &TcpSettings::query_response, send_expect_schema(),
                "What to wait for and what to say.")
          .check([](const TcpSettings& tcp, const config::Complain& complain) {
            if (const std::string why = config::host_complaint(tcp.host); !why.empty()) complain("host", why);
            if (tcp.port < 1 || tcp.port > 65535) complain("port", "must be between 1 and 65535");
          });
  return schema;
}

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner&,
                                      config::Errors& errors) {
  TcpSettings tcp = schema().parse(node, path, errors);
  ConnectSettings connect;
  connect.dial.host = tcp.host;
  connect.dial.port = static_cast<std::uint16_t>(tcp.port);
  connect.dial.family = tcp.source_ip_address.family(tcp.ip_protocol.family);
  connect.dial.source = tcp.source_ip_address.literal;
  if (tcp.tls) connect.dial.tls = net::tls_context(tcp.tls_config, node, path, errors);
  bool starttls = false;
  for (const SendExpect& turn : tcp.query_response) starttls = starttls || turn.starttls;
  if (starttls) connect.starttls = net::tls_context(tcp.tls_config, node, path, errors);
  connect.turns = std::move(tcp.query_response);
  prepare(connect.turns);
  connect.target = written(tcp.host, tcp.port);
  return std::make_unique<PreparedSettings<ConnectProbe, ConnectSettings>>(std::move(connect));
}

}  // namespace

const Type tcp_type{
    .name = "tcp",
    .summary = "Connects over TCP or TLS and, if asked, talks: query_response as in the blackbox exporter.",
    .example = R"(name: redis
type: tcp
host: 127.0.0.1
port: 6379
interval: 1s
timeout: 500ms
query_response:
  - {send: "PING\r"}
  - {expect: "^\\+PONG"}
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {"probe_ip_protocol", "probe_ip_addr_hash", "probe_dns_lookup_time_seconds"},
    .keys_of_target = host_and_port,
    .other_measurements = with_chain({"probe_failed_due_to_regex", "probe_failed_due_to_bytes", "probe_expect_info"}),
};

}  // namespace probe
