// Microsoft Teams: a message card for an incoming webhook.
#include <nlohmann/json.hpp>
#include <optional>

#include "base/number.h"
#include "base/text.h"
#include "config/schema.h"
#include "notify/fields.h"
#include "notify/json_service.h"
#include "notify/message_text.h"
#include "notify/retry.h"

namespace notify {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kTextLimit = 20'000;  // bytes; the service takes messages of 28 KB
constexpr std::size_t kTitleLimit = 1000;

struct Settings {
  SecretOrFile webhook_url;
  std::string title = "{{ template \"msteams.default.title\" . }}";
  std::string summary = "{{ template \"msteams.default.summary\" . }}";
  std::string text = "{{ template \"msteams.default.text\" . }}";
  std::optional<http::HttpConfig> http_config;
};

const auto& schema() {
  static const auto s = [] {
    config::Schema<Settings> all("msteams_configs");
    all.beside(sending_schema(EndTold::by_default));
    add_secret(all, "webhook_url", "webhook_url_file", &Settings::webhook_url, "The incoming webhook's URL.");
    all.optional("title", &Settings::title, "The first line. This and the texts below are Go templates.")
        .optional("summary", &Settings::summary, "What notifications show.")
        .optional("text", &Settings::text, "The message.")
        .optional("http_config", &Settings::http_config, http::http_config_schema(), "How it is asked.");
    check_url(all, "webhook_url", &Settings::webhook_url, "https://shop.webhook.office.com/...");
    all.shows({"title", "summary", "text"});
    return all;
  }();
  return s;
}

class MsTeams final : public Notifier {
 public:
  MsTeams(Settings settings, HttpPost post, const TextReader& texts)
      : settings_(std::move(settings)),
        post_(std::move(post)),
        title_(texts.read("title", settings_.title)),
        summary_(texts.read("summary", settings_.summary)),
        text_(texts.read("text", settings_.text)) {}

  std::string type() const override { return "msteams"; }
  std::vector<std::string> targets() const override { return {target_of(settings_.webhook_url, "msteams")}; }

  std::string render(const std::vector<model::Alert>& alerts, const std::vector<model::RecoveryReport>&,
                     const Envelope& envelope) const override {
    const templates::Value data = message_data(alerts, envelope);
    const bool firing = std::any_of(alerts.begin(), alerts.end(),
                                    [](const model::Alert& alert) { return alert.state == model::AlertState::firing; });
    const ordered_json body{{"@context", "http://schema.org/extensions"},
                            {"@type", "MessageCard"},
                            {"title", shortened(title_.expand(data), kTitleLimit)},
                            {"summary", shortened(summary_.expand(data), kTitleLimit)},
                            {"text", base::shortened(text_.expand(data), kTextLimit)},
                            {"themeColor", firing ? "8C1A1A" : "2DC72D"}};
    return dump_json(body);
  }

  loop::Handle send(const Context& context, std::size_t, const Message& message, base::Instant deadline,
                    std::function<void(Sent)> done) const override {
    return post_json(post_, context, settings_.webhook_url.read(), message.body, deadline, std::move(done),
                     judge_answer);
  }

 private:
  // It answers 200 and says in the body what Teams itself answered: "... returned HTTP error 429 with ContextId ...".
  static Sent judge_answer(const http::HttpResponse& response, base::WallTime now) {
    constexpr std::string_view kFailed = "returned HTTP error ";
    const std::size_t at = response.body.find(kFailed);
    if (response.status != 200 || at == std::string::npos) return judge(response, now);
    http::HttpResponse inner = response;
    inner.status = base::leading_number<int>(response.body.substr(at + kFailed.size())).value_or(500);
    return judge(inner, now);
  }

  Settings settings_;
  HttpPost post_;
  MessageText title_, summary_, text_;
};

std::unique_ptr<const Notifier> parse(const config::Node& node, const std::string& path,
                                      const std::vector<templates::Definitions>& definitions, config::Errors& errors) {
  return make_service<MsTeams>(schema(), node, path, definitions, errors);
}

}  // namespace

extern const NotifierType msteams_type;
const NotifierType msteams_type{"msteams", "Posts to Microsoft Teams (Alertmanager has it since 0.26).",
                                "{webhook_url: \"https://shop.webhook.office.com/webhookb2/key\"}", parse,
                                []() -> const std::vector<config::KeyReference>& { return schema().reference(); }};

}  // namespace notify
