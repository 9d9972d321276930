// nginx' own counters, from ngx_http_stub_status_module
// (https://nginx.org/en/docs/http/ngx_http_stub_status_module.html).
#include <array>
#include <utility>

#include "base/number.h"
#include "base/text.h"
#include "http/http_client.h"
#include "probe/common/probe_schema.h"
#include "probe/common/stream_probe.h"
#include "probe/http/fetch.h"
#include "probe/registry.h"

namespace probe {
namespace {

using model::Outcome;
using model::Reason;

struct NginxSettings : FetchSettings {
  int max_active = 0;
};

const config::Schema<NginxSettings>& schema() {
  static const auto schema = [] {
    auto keys = probe_schema<NginxSettings>("nginx");
    add_fetch_keys(keys);
    keys.optional("max_active", &NginxSettings::max_active,
                  "Active connections above which the run fails with queue_saturated; 0: any number is fine.")
        .check([](const NginxSettings& nginx, const config::Complain& complain) {
          if (nginx.max_active < 0) complain("max_active", "must not be negative");
        });
    return keys;
  }();
  return schema;
}

// The next whole number in `text`, which is cut behind it.
bool take_number(std::string_view& text, double& out) {
  const std::size_t at = text.find_first_of("0123456789");
  if (at == std::string_view::npos) return false;
  std::string_view rest = text.substr(at);
  const auto value = base::take_number<std::uint64_t>(rest);
  if (!value) return false;
  text = rest;
  out = static_cast<double>(*value);
  return true;
}

struct Prepared {
  NginxSettings settings;
  FetchRequest fetch;
  std::string target;
};

class NginxProbe final : public FetchProbe {
 public:
  NginxProbe(const Context& context, const Prepared& prepared)
      : FetchProbe(context, prepared.fetch), settings_(prepared.settings) {}

 private:
  Outcome judge(const http::HttpResponse& response) override {
    // Active connections: 2 / server accepts handled requests / 9 9 12 / Reading: 0 Writing: 1 Waiting: 1
    std::array<double, 7> found{};
    std::string_view text = response.body;
    bool whole = text.starts_with("Active connections:");
    for (double& number : found) whole = whole && take_number(text, number);
    if (!whole)
      return Outcome::failure(Reason::body_mismatch, "the page is none of stub_status: " + base::shown(response.body));
    const auto [active, accepted, handled, requests, reading, writing, waiting] = found;
    Outcome outcome = Outcome::success(std::to_string(static_cast<long>(active)) + " active connections");
    if (settings_.max_active > 0 && active > settings_.max_active)
      outcome = Outcome::failure(Reason::queue_saturated, std::to_string(static_cast<long>(active)) +
                                                              " connections are active, max_active is " +
                                                              std::to_string(settings_.max_active));
    Measurements& out = outcome.measurements;
    out.push_back({"probe_nginx_connections", active, {{"state", "active"}}});
    out.push_back({"probe_nginx_connections", reading, {{"state", "reading"}}});
    out.push_back({"probe_nginx_connections", writing, {{"state", "writing"}}});
    out.push_back({"probe_nginx_connections", waiting, {{"state", "waiting"}}});
    out.push_back({"probe_nginx_accepted_connections", accepted, {}});
    out.push_back({"probe_nginx_handled_connections", handled, {}});
    out.push_back({"probe_nginx_handled_requests", requests, {}});
    return outcome;
  }

  const NginxSettings& settings_;
};

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner&,
                                      config::Errors& errors) {
  Prepared prepared;
  prepared.settings = schema().parse(node, path, errors);
  prepared.fetch = fetch_request(prepared.settings, node, path, errors);
  prepared.target = prepared.settings.url;
  return std::make_unique<PreparedSettings<NginxProbe, Prepared>>(std::move(prepared));
}

}  // namespace

const Type nginx_type{
    .name = "nginx",
    .summary = "Reads nginx' stub_status page: connections by state, and what was accepted, handled and asked.",
    .example = R"(name: nginx
type: nginx
interval: 5s
timeout: 500ms
url: http://127.0.0.1:8080/stub_status
max_active: 900
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {"probe_nginx_connections", "probe_nginx_accepted_connections", "probe_nginx_handled_connections",
                     "probe_nginx_handled_requests"},
    .keys_of_target = [](std::string_view target) -> std::vector<std::pair<std::string, std::string>> {
      return {{"url", std::string(target)}};
    },
    .other_measurements = with_chain({}),
};

}  // namespace probe
