// A TLS handshake and a close look at the certificates: a chain that is refused is described all the same, and one
// that will expire soon fails while there is still time.
#include <array>
#include <utility>

#include "probe/common_keys.h"
#include "probe/registry.h"
#include "probe/types/certificate_age.h"
#include "probe/types/connect_probe.h"

namespace probe {
namespace {

using model::Outcome;
using model::Reason;

// Protocols that begin in the clear, and what is said to leave it.
struct Opening {
  const char* name;
  const char* greeting;
  const char* hello;     // "": nothing to say before the command
  const char* accepted;  // the answer to it
  const char* command;
  const char* go;
};
constexpr std::array kOpenings{
    Opening{"smtp", "^220 ", "EHLO fettle\r", "^250 ", "STARTTLS\r", "^220 "},
    Opening{"imap", "^\\* OK", "", "", "a1 STARTTLS\r", "^a1 OK"},
    Opening{"pop3", "^\\+OK", "", "", "STLS\r", "^\\+OK"},
    Opening{"ftp", "^220 ", "", "", "AUTH TLS\r", "^234 "},
};

struct TlsProbeSettings {
  std::string host;
  int port = 443;
  int min_days = 14;
  std::string starttls;
  loop::TlsSettings tls_config;
  IpProtocol ip_protocol;
};

const config::Schema<TlsProbeSettings>& schema() {
  static const auto schema =
      probe_schema<TlsProbeSettings>("tls")
          .required("host", &TlsProbeSettings::host, "Name or address to connect to.")
          .reach(config::Reach::listed, config::Place::host)
          .optional("port", &TlsProbeSettings::port, "Port to connect to.")
          .optional("min_days", &TlsProbeSettings::min_days,
                    "Days that the certificates must still be valid; 0: until they expire.")
          .optional("starttls", &TlsProbeSettings::starttls,
                    "Protocol that begins without TLS: smtp, imap, pop3 or ftp. Empty: TLS from the first byte.")
          .optional("tls_config", &TlsProbeSettings::tls_config, tls_schema(), "How to speak TLS.")
          .optional("ip_protocol", &TlsProbeSettings::ip_protocol, "Addresses to use: any, ip4 or ip6.")
          .reach(config::Reach::listed)
          .check([](const TlsProbeSettings& tls, const config::Complain& complain) {
            if (tls.host.empty()) complain("host", "must not be empty");
            if (tls.port < 1 || tls.port > 65535) complain("port", "must be between 1 and 65535");
            if (tls.min_days < 0) complain("min_days", "must not be negative");
            bool known = tls.starttls.empty();
            for (const Opening& opening : kOpenings) known = known || tls.starttls == opening.name;
            if (!known) complain("starttls", "must be smtp, imap, pop3, ftp or empty");
          });
  return schema;
}

Turn turn(const char* expect, const char* send) {
  Turn turn;
  auto compiled = base::Regex::compile(expect);
  if (compiled) turn.expect.regex = std::move(*compiled);
  turn.send = send;
  return turn;
}

std::vector<Turn> turns_of(const Opening& opening) {
  std::vector<Turn> turns;
  if (*opening.hello != '\0') {
    turns.push_back(turn(opening.greeting, opening.hello));
    turns.push_back(turn(opening.accepted, opening.command));
  } else {
    turns.push_back(turn(opening.greeting, opening.command));
  }
  turns.push_back(turn(opening.go, ""));
  turns.back().starttls = true;
  return turns;
}

struct Prepared {
  ConnectSettings connect;
  std::chrono::days min_left{};
};

class TlsProbe final : public ConnectProbe {
 public:
  TlsProbe(const Context& context, const Prepared& prepared)
      : ConnectProbe(context, prepared.connect), context_(context), prepared_(prepared) {}

 private:
  void judge(const loop::PeerChain& chain, Outcome& outcome) const override {
    const std::string words = judge_certificate_age(chain, prepared_.connect.target, prepared_.min_left,
                                                    context_.scheduler.wall_now(), outcome);
    if (outcome.up && !words.empty()) outcome.text = words;
  }

  const Context& context_;
  const Prepared& prepared_;
};

class Tls final : public Settings {
 public:
  explicit Tls(Prepared prepared) : prepared_(std::move(prepared)) {}
  std::unique_ptr<Probe> make(const Context& context) const override {
    return std::make_unique<TlsProbe>(context, prepared_);
  }
  std::string target() const override { return prepared_.connect.target; }

 private:
  Prepared prepared_;
};

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner&,
                                      config::Errors& errors) {
  TlsProbeSettings tls = schema().parse(node, path, errors);
  Prepared prepared;
  ConnectSettings& connect = prepared.connect;
  prepared.min_left = std::chrono::days(tls.min_days);
  connect.target = written(tls.host, tls.port);
  connect.dial.host = tls.host;
  connect.dial.port = static_cast<std::uint16_t>(tls.port);
  connect.dial.family = tls.ip_protocol.family;
  tls.tls_config.ask_ocsp_staple = true;
  auto context = tls_context(tls.tls_config, node, path, errors);
  for (const Opening& opening : kOpenings)
    if (tls.starttls == opening.name) connect.turns = turns_of(opening);
  (tls.starttls.empty() ? connect.dial.tls : connect.starttls) = std::move(context);
  return std::make_unique<Tls>(std::move(prepared));
}

}  // namespace

const Type tls_type{
    .name = "tls",
    .summary = "Shakes hands over TLS and checks the certificates, how long they are valid, and what OCSP staple came.",
    .example = R"(name: certificate
type: tls
host: shop.example
port: 443
interval: 1m
timeout: 5s
min_days: 21
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {"probe_ssl_earliest_cert_expiry", "probe_tls_version_info", "probe_tls_cipher_info",
                     "probe_tls_certificate_refused", "probe_ip_protocol", "probe_ip_addr_hash",
                     "probe_dns_lookup_time_seconds"},
    .keys_of_target = [](std::string_view target) -> std::vector<std::pair<std::string, std::string>> {
      auto keys = host_and_port(target);
      if (keys.back().second.empty()) keys.pop_back();
      return keys;
    },
    .late = Reason::tls_handshake,
    .other_measurements = with_chain({"probe_failed_due_to_regex"}),
};

}  // namespace probe
