// Zabbix, by the protocol of zabbix_sender: each message is the value of a trapper item.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "base/hash.h"
#include "base/number.h"
#include "base/text.h"
#include "config/request.h"
#include "config/schema.h"
#include "net/tls/tls_config.h"
#include "notify/fields.h"
#include "notify/json_service.h"
#include "notify/message_text.h"
#include "notify/notifier.h"
#include "notify/zabbix/sender_session.h"

namespace notify {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kValueLimit = 65'535;  // bytes: what an item of type text keeps
constexpr std::size_t kMostNodes = 8;

struct Settings {
  std::string server;
  int port = 10051;
  std::string host = "{{ .Node }}";
  std::string key = "fettle.incident";
  std::string value = "{{ template \"zabbix.default.value\" . }}";
  std::optional<net::TlsSettings> tls_config;
  std::string tls_psk_identity;
  SecretOrFile tls_psk;
};

// HOST, HOST:PORT, or several with semicolons between, into the nodes. Empty: it is good.
std::string read_nodes(const Settings& settings, std::vector<ZabbixNode>& nodes) {
  if (settings.server.find(',') != std::string::npos)
    return "a semicolon stands between the nodes of one cluster; servers that are all to be told are several entries "
           "of zabbix_configs";
  std::string_view rest = settings.server;
  for (bool more = true; more;) {
    const std::size_t end = rest.find(';');
    more = end != std::string_view::npos;
    const std::string node(rest.substr(0, end));
    if (more) rest.remove_prefix(end + 1);
    if (const std::string why = config::authority_complaint(node); !why.empty()) return why;
    if (node.find('@') != std::string::npos || node.ends_with(':')) return "must be HOST or HOST:PORT";
    ZabbixNode read{node, static_cast<std::uint16_t>(settings.port)};
    const std::size_t colon = node.rfind(':');
    if (colon != std::string::npos && node.back() != ']') {
      read.host = node.substr(0, colon);
      read.port = base::read_number<std::uint16_t>(node.substr(colon + 1)).value_or(0);
    }
    if (read.host.size() > 2 && read.host.front() == '[') read.host = read.host.substr(1, read.host.size() - 2);
    nodes.push_back(std::move(read));
  }
  return nodes.size() > kMostNodes ? fmt::format("has {} nodes; at most {} are asked", nodes.size(), kMostNodes) : "";
}

void check(const Settings& settings, const config::Complain& complain) {
  std::vector<ZabbixNode> unused;
  if (const std::string why = read_nodes(settings, unused); !why.empty()) complain("server", why);
  if (settings.port < 1 || settings.port > 65'535) complain("port", "must be from 1 to 65535");
  for (const auto& [key, value] : {std::pair{"host", &settings.host}, {"key", &settings.key}})
    if (value->empty()) complain(key, "must not be empty");
  if (settings.tls_psk_identity.empty() != settings.tls_psk.empty())
    complain("", "tls_psk_identity and tls_psk_file need each other");
  if (settings.tls_config && !settings.tls_psk_identity.empty())
    complain("tls_psk_identity", "cannot stand beside tls_config");
}

const auto& schema() {
  static const auto s = [] {
    config::Schema<Settings> all("zabbix_configs");
    all.beside(sending_schema(EndTold::by_default));
    all.required("server", &Settings::server,
                 "Name or address of the Zabbix server or proxy, with :PORT where it is another than port; nodes of "
                 "one cluster with semicolons between, which are asked in this order.")
        .optional("port", &Settings::port, "Port of its trapper.")
        .optional("host", &Settings::host,
                  "The host in Zabbix that has the item, by its technical name. This and the texts below are Go "
                  "templates.")
        .optional("key", &Settings::key, "Key of the item, which is of type Zabbix trapper.")
        .optional("value", &Settings::value, "The value.")
        .optional(
            "tls_config", &Settings::tls_config, net::tls_schema(),
            "Speak TLS with a certificate on both sides. Without it and without a key below all goes in the clear.")
        .optional("tls_psk_identity", &Settings::tls_psk_identity,
                  "Speak TLS with a pre-shared key: its identity, as the host in Zabbix has it.");
    add_secret(all, "tls_psk", "tls_psk_file", &Settings::tls_psk, "The key, in hexadecimal digits.", Needed::no);
    all.check(check).shows({"server", "host", "key", "value", "tls_psk_identity"});
    return all;
  }();
  return s;
}

class Zabbix final : public Notifier {
 public:
  Zabbix(const Settings& settings, ZabbixServer server, const TextReader& texts)
      : server_(std::move(server)),
        psk_identity_(settings.tls_psk_identity),
        psk_(settings.tls_psk),
        host_(texts.read("host", settings.host)),
        key_(texts.read("key", settings.key)),
        value_(texts.read("value", settings.value)) {}

  std::string type() const override { return "zabbix"; }
  std::vector<std::string> targets() const override {
    std::string nodes;
    for (const ZabbixNode& node : server_.nodes) {
      const bool bare_ipv6 = node.host.find(':') != std::string::npos;
      nodes += fmt::format("{}{}{}{}:{}", nodes.empty() ? "" : ";", bare_ipv6 ? "[" : "", node.host,
                           bare_ipv6 ? "]" : "", node.port);
    }
    return {"zabbix://" + nodes};
  }

  // The same bytes at each attempt, with the time of the message: a server that has the value already finds the same
  // item, second and nanosecond in its history, and leaves it at that. So would it with another message of the same
  // millisecond; below that the nanoseconds tell messages from each other.
  std::string render(const std::vector<model::Alert>& alerts, const std::vector<model::RecoveryReport>&,
                     const Envelope& envelope) const override {
    const templates::Value data = message_data(alerts, envelope);
    const std::int64_t at = base::to_ms(envelope.at);
    const std::string text = base::shortened(value_.expand(data), kValueLimit);
    const auto below =
        static_cast<std::int64_t>(base::spread(base::fnv1a(envelope.group_key + '\n' + text)) % 1'000'000);
    ordered_json value{{"host", host_.expand(data)},
                       {"key", key_.expand(data)},
                       {"value", text},
                       {"clock", at / 1000},
                       {"ns", at % 1000 * 1'000'000 + below}};
    return dump_json(ordered_json{{"request", "sender data"}, {"data", ordered_json::array({std::move(value)})}});
  }

  loop::Handle send(const Context& context, std::size_t, const Message& message, base::Instant deadline,
                    std::function<void(Sent)> done) const override {
    ZabbixServer server = server_;
    if (!psk_identity_.empty()) {
      auto tls = with_key();
      if (!tls) return cannot_send(context, tls.error(), std::move(done));
      server.tls = *std::move(tls);
    }
    return send_to_zabbix(context, server, message.body, deadline, std::move(done));
  }

  // For TLS with the key as it is now.
  base::Result<std::shared_ptr<net::TlsContext>> with_key() const {
    TRY(std::string key, psk_.read());
    net::TlsSettings settings;
    settings.psk_identity = psk_identity_;
    settings.psk = base::Secret(std::move(key));
    return net::TlsContext::get(settings);
  }

 private:
  ZabbixServer server_;
  std::string psk_identity_;
  SecretOrFile psk_;
  MessageText host_, key_, value_;
};

std::unique_ptr<const Notifier> parse(const config::Node& node, const std::string& path,
                                      const std::vector<templates::Definitions>& definitions, config::Errors& errors) {
  const std::size_t before = errors.size();
  const Settings settings = schema().parse(node, path, errors);
  if (errors.size() > before) return nullptr;
  ZabbixServer server;
  (void)read_nodes(settings, server.nodes);
  if (settings.tls_config) server.tls = net::tls_context(*settings.tls_config, node, path, errors);
  auto made = std::make_unique<Zabbix>(settings, std::move(server), TextReader(node, path, definitions, errors));
  // A file may be written later; what stands in the configuration is right or wrong now.
  if (!settings.tls_psk.secret.empty())
    if (const auto good = made->with_key(); !good)
      errors.add(node.find("tls_psk").mark(), path + ".tls_psk", good.error().text);
  if (errors.size() > before) return nullptr;
  return made;
}

}  // namespace

extern const NotifierType zabbix_type;
const NotifierType zabbix_type{"zabbix", "Sends values to a trapper item of Zabbix, by the protocol of zabbix_sender.",
                               "{server: zabbix.shop.example}", parse,
                               []() -> const std::vector<config::KeyReference>& { return schema().reference(); }};

}  // namespace notify
