// A TLS handshake and a close look at the certificates: a chain that is refused is described all the same, and one
// that will expire soon fails while there is still time.
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/request.h"
#include "encoding/mysql_packet.h"
#include "loop/scheduler.h"
#include "net/tls/peer_chain.h"
#include "net/tls/tls.h"
#include "net/tls/tls_config.h"
#include "probe/common/probe_schema.h"
#include "probe/net/certificate_age.h"
#include "probe/net/connect_probe.h"
#include "probe/registry.h"

namespace probe {
namespace {

namespace mysql = encoding::mysql;
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

// Those without lines.
struct BinaryOpening {
  const char* name;
  AnswerSize greeting;  // null: the client speaks first
  std::string wish;
  AnswerSize accepted;  // null: TLS follows the wish
};

// SSLRequest, and the one letter that answers it
// (https://www.postgresql.org/docs/current/protocol-message-formats.html).
std::optional<std::size_t> postgres_accepts(std::string_view bytes) {
  if (bytes.empty()) return 0;
  return bytes[0] == 'S' ? std::optional<std::size_t>(1) : std::nullopt;
}

std::optional<std::size_t> mysql_greets(std::string_view bytes) {
  if (bytes.size() < 4) return 0;
  const std::size_t size = mysql::Reader(bytes).number(3) + 4;
  if (bytes.size() < size) return size < 64 * 1024 ? std::optional<std::size_t>(0) : std::nullopt;
  const auto greeting = mysql::read_greeting(bytes.substr(4, size - 4));
  return greeting && (greeting->capabilities & mysql::kTls) != 0 ? std::optional(size) : std::nullopt;
}

// ExtendedResponse with the result code success (RFC 4511, 4.12 and 4.14).
std::optional<std::size_t> ldap_accepts(std::string_view bytes) {
  if (bytes.size() < 2) return 0;
  if (bytes[0] != 0x30 || static_cast<unsigned char>(bytes[1]) >= 0x80) return std::nullopt;
  const std::size_t size = 2 + static_cast<std::size_t>(bytes[1]);
  if (bytes.size() < size) return 0;
  using namespace std::string_view_literals;
  const bool success = bytes.substr(2, 4) == "\2\1\1\x78"sv && bytes.substr(7, 3) == "\x0a\1\0"sv;
  return success ? std::optional(size) : std::nullopt;
}

const std::vector<BinaryOpening>& binary_openings() {
  using namespace std::string_literals;
  static const std::vector<BinaryOpening> openings{
      {"postgres", nullptr, "\0\0\0\x08\x04\xd2\x16\x2f"s, postgres_accepts},
      {"mysql", mysql_greets,
       mysql::packet(1, mysql::little_endian(mysql::kLongPassword | mysql::kProtocol41 | mysql::kSecureConnection |
                                                 mysql::kPluginAuth | mysql::kTls,
                                             4) +
                            mysql::little_endian(1 << 24, 4) + '\x2d' + std::string(23, '\0')),
       nullptr},
      {"ldap", nullptr, "\x30\x1d\2\1\1\x77\x18\x80\x16"s + "1.3.6.1.4.1.1466.20037", ldap_accepts},
  };
  return openings;
}

const char* const kProtocols = "smtp, imap, pop3, ftp, postgres, mysql or ldap";

struct TlsProbeSettings {
  std::string host;
  int port = 443;
  int min_days = 14;
  std::string starttls;
  net::TlsSettings tls_config;
  IpProtocol ip_protocol;
};

const config::Schema<TlsProbeSettings>& schema() {
  static const auto schema =
      probe_schema<TlsProbeSettings>("tls")
          .required("host", &TlsProbeSettings::host, "Name or address to connect to.")
          .reach(config::Reach::listed, config::ValueFormat::host)
          .optional("port", &TlsProbeSettings::port, "Port to connect to.")
          .optional("min_days", &TlsProbeSettings::min_days,
                    "Days that the certificates must still be valid; 0: until they expire.")
          .optional("starttls", &TlsProbeSettings::starttls,
                    "Protocol that begins without TLS: smtp, imap, pop3, ftp, postgres, mysql or ldap. Empty: TLS from "
                    "the first byte.")
          .optional("tls_config", &TlsProbeSettings::tls_config, net::tls_schema(), "How to speak TLS.")
          .optional("ip_protocol", &TlsProbeSettings::ip_protocol, "Addresses to use: any, ip4 or ip6.")
          .reach(config::Reach::listed)
          .check([](const TlsProbeSettings& tls, const config::Complain& complain) {
            if (const std::string why = config::host_complaint(tls.host); !why.empty()) complain("host", why);
            if (tls.port < 1 || tls.port > 65535) complain("port", "must be between 1 and 65535");
            if (tls.min_days < 0) complain("min_days", "must not be negative");
            bool known = tls.starttls.empty();
            for (const Opening& opening : kOpenings) known = known || tls.starttls == opening.name;
            for (const BinaryOpening& opening : binary_openings()) known = known || tls.starttls == opening.name;
            if (!known) complain("starttls", std::string("must be ") + kProtocols + ", or empty");
          });
  return schema;
}

SendExpect turn(const char* expect, const char* send) {
  SendExpect turn;
  auto compiled = base::Regex::compile(expect);
  if (compiled) turn.expect.regex = std::move(*compiled);
  turn.send = send;
  return turn;
}

std::vector<SendExpect> turns_of(const Opening& opening) {
  std::vector<SendExpect> turns;
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

std::vector<SendExpect> turns_of(const BinaryOpening& opening) {
  std::vector<SendExpect> turns(1);
  turns.back().answer = opening.greeting;
  turns.back().send_bytes = opening.wish;
  if (opening.accepted != nullptr) turns.emplace_back().answer = opening.accepted;
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
  void judge_chain(const net::PeerChain& chain, Outcome& outcome) const override {
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
  auto context = net::tls_context(tls.tls_config, node, path, errors);
  for (const Opening& opening : kOpenings)
    if (tls.starttls == opening.name) connect.turns = turns_of(opening);
  for (const BinaryOpening& opening : binary_openings())
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
