// Targets that lie in etcd, as texts in the format of file_sd: each key below a prefix is one. Read from time to time,
// through the JSON gateway of the client port; a member that does not answer is followed by the next.
#include <fmt/format.h>

#include <utility>

#include "base/base64.h"
#include "config/redact.h"
#include "config/request.h"
#include "discover/keyed_lists.h"
#include "discover/registry.h"
#include "discover/served_settings.h"
#include "encoding/json_value.h"
#include "http/http_config.h"
#include "http/json_api.h"
#include "loop/scheduler.h"

namespace discover {
namespace {

using encoding::json;
using encoding::member;
using encoding::text_of;
using namespace std::chrono_literals;

constexpr base::Duration kPatience = 10s;

struct EtcdKvSettings {
  std::vector<std::string> endpoints;
  std::string prefix;
  base::Millis refresh_interval{10'000};
  http::HttpConfig http;
};

const config::Schema<EtcdKvSettings>& schema() {
  static const auto schema = [] {
    using Kv = EtcdKvSettings;
    auto keys = config::Schema<Kv>("etcd_kv_configs")
                    .required("endpoints", &Kv::endpoints,
                              "URLs of the members' client ports: [https://10.0.0.1:2379, ...]. One that does not "
                              "answer is followed by the next.")
                    .required("prefix", &Kv::prefix,
                              "Keys that begin so, such as /shop/targets/: each has targets in Prometheus' file_sd "
                              "format, YAML or JSON. One with mistakes keeps what it said before.")
                    .optional("refresh_interval", &Kv::refresh_interval, "Read the keys this often.")
                    .inlined(&Kv::http, http::http_config_schema())
                    .beside(config::target_template_schema())
                    .check([](const Kv& kv, const config::Complain& complain) {
                      if (kv.endpoints.empty()) complain("endpoints", "must name at least one member");
                      for (const std::string& url : kv.endpoints)
                        if (const std::string why = config::url_complaint(url, "http://127.0.0.1:2379"); !why.empty())
                          complain("endpoints", fmt::format("'{}' {}", url, why));
                      if (kv.prefix.empty()) complain("prefix", "must not be empty");
                      if (kv.http.authorization || kv.http.oauth2 || kv.http.basic_auth)
                        complain("basic_auth", "is not offered here; let a client certificate in (tls_config)");
                      if (kv.refresh_interval < 1s) complain("refresh_interval", "must be at least 1s");
                    });
    keys.shows({"endpoints", "prefix"});
    return keys;
  }();
  return schema;
}

class EtcdKv final : public Source {
 public:
  EtcdKv(EtcdKvSettings settings, std::vector<http::JsonApi> members, const Context& context,
         std::function<void()> changed)
      : settings_(std::move(settings)),
        members_(std::move(members)),
        context_(context),
        lists_(members_.front().name(), "__meta_etcd_key", context.scheduler, std::move(changed)) {
    refresh();
  }

  std::vector<const TargetList*> lists() const override { return lists_.lists(); }
  void refresh() override { again({}); }

 private:
  void again(base::Duration wait) {
    timer_ = context_.scheduler.after(wait, [this] {
      tries_ = 0;
      ask();
    });
  }

  // The first key behind all that begin so.
  static std::string behind(std::string prefix) {
    ++prefix.back();
    return prefix;
  }

  void ask() {
    const json body{{"key", base::base64_encode(settings_.prefix)},
                    {"range_end", base::base64_encode(behind(settings_.prefix))}};
    pending_ = members_[member_].ask(context_.http, context_.scheduler,
                                     {.method = "POST",
                                      .path = "/v3/kv/range",
                                      .body = body.dump(),
                                      .deadline = context_.scheduler.now() + kPatience},
                                     [this](const http::HttpResponse& response) { heard(response); });
  }

  void heard(const http::HttpResponse& response) {
    const json document = encoding::read_json(response.body);
    if (http::is_good(response) && document.is_object() && member(document, "error").is_null()) {
      again(settings_.refresh_interval);
      return take(member(document, "kvs"));
    }
    const std::string why =
        members_[member_].name() + ": " +
        (http::is_good(response) ? "the answer is no JSON object" : members_[member_].complaint(response));
    member_ = (member_ + 1) % members_.size();
    if (++tries_ < members_.size()) return ask();
    again(settings_.refresh_interval);
    lists_.keep(why);
  }

  void take(const json& kvs) {
    std::map<std::string, std::string> texts;
    for (const json& kv : kvs)
      if (const std::string key = base::base64_decode(text_of(member(kv, "key"))).value_or(""); !key.empty())
        texts[key] = base::base64_decode(text_of(member(kv, "value"))).value_or("");
    lists_.take(texts);
  }

  EtcdKvSettings settings_;
  std::vector<http::JsonApi> members_;
  Context context_;
  KeyedLists lists_;
  std::size_t member_ = 0, tries_ = 0;
  loop::Handle timer_, pending_;
};

std::unique_ptr<const Settings> parse(const config::Node& entry, const std::string& path, const Owner&,
                                      config::Errors& errors) {
  EtcdKvSettings settings = schema().parse(entry, path, errors);
  const http::ConfiguredClient client(settings.http, entry, path, errors);
  std::vector<http::JsonApi> members;
  for (std::string url : settings.endpoints) {
    while (url.ends_with('/')) url.pop_back();
    members.emplace_back(http::ApiAddress{std::move(url), ""}, client, config::secrets_of(entry));
  }
  return std::make_unique<ServedSettings<EtcdKv, EtcdKvSettings, std::vector<http::JsonApi>>>(std::move(settings),
                                                                                              std::move(members));
}

}  // namespace

const Type etcd_kv_source{
    .key = "etcd_kv_configs",
    .summary = "More probes, one for each target that keys of etcd list.",
    .example = R"(etcd_kv_configs:
  - endpoints: ["https://10.0.0.1:2379"]
    prefix: /shop/targets/
    tls_config: {ca_file: /etc/fettle/etcd-ca.crt, cert_file: /etc/fettle/etcd.crt, key_file: /etc/fettle/etcd.key}
    probe: {type: http, interval: 5s, timeout: 1s}
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
};

}  // namespace discover
