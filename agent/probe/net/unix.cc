// A connection to a unix socket, and a dialogue over it.
#include <algorithm>
#include <utility>

#include "net/tls/tls.h"
#include "net/tls/tls_config.h"
#include "probe/common/probe_schema.h"
#include "probe/common/stream_probe.h"
#include "probe/net/connect_probe.h"
#include "probe/registry.h"

namespace probe {
namespace {

struct UnixSettings {
  std::string path;
  bool tls = false;
  net::TlsSettings tls_config;
  std::vector<SendExpect> query_response;
};

bool starts_tls(const UnixSettings& settings) {
  return std::any_of(settings.query_response.begin(), settings.query_response.end(),
                     [](const SendExpect& turn) { return turn.starttls; });
}
bool speaks_tls(const UnixSettings& settings) { return settings.tls || starts_tls(settings); }

const config::Schema<UnixSettings>& schema() {
  static const auto schema =
      probe_schema<UnixSettings>("unix")
          .required("path", &UnixSettings::path, "Path of the socket.")
          .reach(config::Reach::address, config::ValueFormat::path)
          .optional("tls", &UnixSettings::tls, "Speak TLS after connecting.")
          .optional("tls_config", &UnixSettings::tls_config, net::tls_schema(),
                    "How to speak TLS, also after starttls.")
          .list("query_response", &UnixSettings::query_response, send_expect_schema(),
                "What to wait for and what to say.")
          .check([](const UnixSettings& settings, const config::Complain& complain) {
            if (settings.path.empty() || settings.path[0] != '/') complain("path", "must be an absolute path");
            if (speaks_tls(settings) && settings.tls_config.server_name.empty() &&
                !settings.tls_config.insecure_skip_verify)
              complain("tls_config", "needs server_name: a path is no name that a certificate could be for");
          });
  return schema;
}

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner&,
                                      config::Errors& errors) {
  UnixSettings settings = schema().parse(node, path, errors);
  ConnectSettings connect;
  connect.target = settings.path;
  connect.dial.unix_path = std::move(settings.path);
  if (settings.tls) connect.dial.tls = net::tls_context(settings.tls_config, node, path, errors);
  if (starts_tls(settings)) connect.starttls = net::tls_context(settings.tls_config, node, path, errors);
  connect.turns = std::move(settings.query_response);
  prepare(connect.turns);
  return std::make_unique<PreparedSettings<ConnectProbe, ConnectSettings>>(std::move(connect));
}

}  // namespace

const Type unix_type{
    .name = "unix",
    .summary = "Connects to a unix stream socket and, if asked, talks.",
    .example = R"(name: socket
type: unix
path: /run/order/control.sock
interval: 1s
timeout: 500ms
query_response:
  - {send: health}
  - {expect: "^ok"}
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .keys_of_target = [](std::string_view target) -> std::vector<std::pair<std::string, std::string>> {
      return {{"path", std::string(target)}};
    },
    .other_measurements = with_chain({"probe_failed_due_to_regex", "probe_failed_due_to_bytes", "probe_expect_info"}),
};

}  // namespace probe
