// Targets that lie in Consul's key-value store, as texts in the format of file_sd: each key below a prefix is one. A
// blocking query tells of changes.
#include <fmt/format.h>

#include <utility>

#include "base/base64.h"
#include "base/percent.h"
#include "discover/blocking_query.h"
#include "discover/keyed_lists.h"
#include "discover/registry.h"
#include "discover/served_settings.h"
#include "encoding/json_value.h"
#include "http/consul_server.h"
#include "loop/scheduler.h"

namespace discover {
namespace {

using encoding::json;
using encoding::member;
using encoding::text_of;
using namespace std::chrono_literals;

struct ConsulKvSettings {
  http::ConsulServer consul;
  std::string prefix, datacenter;
  base::Millis refresh_interval{60'000};
};

const config::Schema<ConsulKvSettings>& schema() {
  static const auto schema = [] {
    using Kv = ConsulKvSettings;
    auto keys = config::Schema<Kv>("consul_kv_configs")
                    .required("prefix", &Kv::prefix,
                              "Keys that begin so, such as shop/targets/: each has targets in Prometheus' file_sd "
                              "format, YAML or JSON. One with mistakes keeps what it said before.")
                    .optional("datacenter", &Kv::datacenter, "Datacenter to ask for; empty: that of the agent.")
                    .optional("refresh_interval", &Kv::refresh_interval,
                              "Ask for everything this often; changes come at once besides.")
                    .inlined(&Kv::consul, http::consul_server_schema())
                    .beside(config::target_template_schema())
                    .check([](const Kv& kv, const config::Complain& complain) {
                      if (kv.prefix.empty() || kv.prefix.front() == '/')
                        complain("prefix", "must not be empty, nor begin with a slash: Consul's keys do not");
                      if (kv.refresh_interval < 1s || kv.refresh_interval > 10min)
                        complain("refresh_interval", "must be between 1s and 10m");
                    });
    keys.shows({"prefix", "datacenter"});
    return keys;
  }();
  return schema;
}

// Each byte but letters, digits, - . _ ~ and the slashes.
std::string escaped(std::string_view key) {
  std::string out;
  for (std::size_t at = 0; at <= key.size();) {
    const std::size_t slash = std::min(key.find('/', at), key.size());
    out += base::percent_encode(key.substr(at, slash - at)) + (slash < key.size() ? "/" : "");
    at = slash + 1;
  }
  return out;
}

class ConsulKv final : public Source {
 public:
  ConsulKv(const ConsulKvSettings& settings, http::JsonApi api, const Context& context, std::function<void()> changed)
      : api_(std::move(api)),
        lists_(api_.name(), "__meta_consul_key", context.scheduler, std::move(changed)),
        query_(
            context.http, context.scheduler, api_,
            fmt::format("/v1/kv/{}?recurse{}", escaped(settings.prefix),
                        settings.datacenter.empty() ? "" : "&dc=" + base::percent_encode(settings.datacenter)),
            settings.refresh_interval,
            {[this](const std::string& body) { take(body); }, [this](const std::string& why) { lists_.keep(why); }}) {}

  std::vector<const TargetList*> lists() const override { return lists_.lists(); }
  void refresh() override { query_.ask_anew(); }

 private:
  // Nothing below the prefix is an empty body. A key that ends with a slash is a folder, as Consul's page makes it.
  void take(const std::string& body) {
    const json items = encoding::read_json(body);
    if (!body.empty() && !items.is_array()) return lists_.keep("the answer is no JSON list");
    std::map<std::string, std::string> texts;
    for (const json& item : items)
      if (const std::string key = text_of(member(item, "Key")); !key.empty() && !key.ends_with('/'))
        texts[key] = base::base64_decode(text_of(member(item, "Value"))).value_or("");
    lists_.take(texts);
  }

  http::JsonApi api_;
  KeyedLists lists_;
  BlockingQuery query_;
};

std::unique_ptr<const Settings> parse(const config::Node& entry, const std::string& path, const Owner&,
                                      config::Errors& errors) {
  ConsulKvSettings settings = schema().parse(entry, path, errors);
  http::JsonApi api = http::consul_api(settings.consul, entry, path, errors);
  return std::make_unique<ServedSettings<ConsulKv, ConsulKvSettings, http::JsonApi>>(std::move(settings),
                                                                                     std::move(api));
}

}  // namespace

const Type consul_kv_source{
    .key = "consul_kv_configs",
    .summary = "More probes, one for each target that Consul's key-value store lists.",
    .example = R"(consul_kv_configs:
  - prefix: shop/targets/
    authorization: {credentials_file: /etc/fettle/consul.token}
    probe: {type: http, interval: 5s, timeout: 1s}
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
};

}  // namespace discover
