// Alerts to every Alertmanager, API version 2, as Prometheus posts them: so that alerts of the agent and of a central
// Prometheus are one. Each Alertmanager hears them on its own.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "config/request.h"
#include "model/json.h"
#include "notify/fields.h"
#include "notify/http_post.h"
#include "notify/notifier.h"

namespace notify {
namespace {

using nlohmann::ordered_json;

struct Settings {
  std::vector<std::string> urls;
  base::Millis resend{60'000};
  std::optional<http::HttpConfig> http_config;
};

const auto& schema() {
  static const auto s =
      config::Schema<Settings>("alertmanager_configs")
          .beside(sending_schema(EndTold::by_default))
          .required("urls", &Settings::urls, "Base URLs of all Alertmanagers of the cluster; not a load balancer.")
          .optional("resend", &Settings::resend,
                    "Firing alerts are posted again after this time; they end by themselves after four of them.")
          .optional(
              "http_config", &Settings::http_config, http::http_config_schema(),
              "How they are asked: credentials, TLS, proxy. Without it no redirect is followed, with it those that "
              "keep the body (307, 308).")
          .check([](const Settings& s2, const config::Complain& complain) {
            if (s2.urls.empty()) complain("urls", "must name at least one Alertmanager");
            for (const std::string& url : s2.urls)
              if (const std::string why = config::url_complaint(url, "http://127.0.0.1:9093"); !why.empty())
                complain("urls", fmt::format("'{}' {}", url, why));
            if (s2.resend < base::Millis{1'000}) complain("resend", "must be at least 1s");
          });
  return s;
}

class Alertmanager final : public Notifier {
 public:
  Alertmanager(Settings settings, HttpPost post) : settings_(std::move(settings)), post_(std::move(post)) {
    for (std::string& url : settings_.urls)
      while (url.ends_with('/')) url.pop_back();
  }

  std::string type() const override { return "alertmanager"; }
  std::vector<std::string> targets() const override {
    std::vector<std::string> out;
    for (const std::string& url : settings_.urls) {
      std::string shown = origin_and_path(url);
      if (std::find(out.begin(), out.end(), shown) != out.end()) shown += fmt::format(" ({})", out.size() + 1);
      out.push_back(std::move(shown));
    }
    return out;
  }
  base::Millis resend() const override { return settings_.resend; }

  std::string render(const std::vector<model::Alert>& alerts, const std::vector<model::RecoveryReport>&,
                     const Envelope& envelope) const override {
    ordered_json out = ordered_json::array();
    for (const model::Alert& alert : alerts) {
      const bool firing = alert.state == model::AlertState::firing;
      ordered_json item = ordered_json::object();
      if (!alert.annotations.empty())
        item["annotations"] = model::label_object<nlohmann::ordered_json>(alert.annotations);
      // One that fires and has its end already is RecoveryRunning.
      const base::WallTime otherwise = firing ? envelope.at + 4 * settings_.resend : envelope.at;
      item["endsAt"] = rfc3339_milliseconds(alert.resolved_at.value_or(otherwise));
      item["startsAt"] = rfc3339_milliseconds(starts_at(alert));
      item["generatorURL"] = alert.generator_url;
      item["labels"] = model::label_object<nlohmann::ordered_json>(outward_labels(alert, envelope.external_labels));
      out.push_back(std::move(item));
    }
    return dump_json(out);
  }

  loop::Handle send(const Context& context, std::size_t target, const Message& message, base::Instant deadline,
                    std::function<void(Sent)> done) const override {
    http::HttpRequest request;
    request.url = settings_.urls[target] + "/api/v2/alerts";
    request.body = message.body;
    request.deadline = deadline;
    return post_.send(context, std::move(request), std::move(done));
  }

 private:
  Settings settings_;
  HttpPost post_;
};

std::unique_ptr<const Notifier> parse(const config::Node& node, const std::string& path,
                                      const std::vector<templates::Definitions>&, config::Errors& errors) {
  const std::size_t before = errors.size();
  Settings settings = schema().parse(node, path, errors);
  HttpPost post(settings.http_config, node, path, errors);
  if (errors.size() > before) return nullptr;
  return std::make_unique<Alertmanager>(std::move(settings), std::move(post));
}

}  // namespace

extern const NotifierType alertmanager_type;
const NotifierType alertmanager_type{"alertmanager", "Posts alerts to Alertmanagers, as Prometheus does.",
                                     "{urls: [\"http://127.0.0.1:9093\"]}", parse,
                                     []() -> const std::vector<config::KeyReference>& { return schema().reference(); }};

}  // namespace notify
