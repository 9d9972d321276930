// Microsoft Teams by a workflow (Power Automate): an adaptive card.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/text.h"
#include "config/schema.h"
#include "notify/fields.h"
#include "notify/json_service.h"
#include "notify/message_text.h"

namespace notify {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kTextLimit = 20'000;  // bytes; the service takes messages of 28 KB
constexpr std::size_t kTitleLimit = 1000;

struct Settings {
  SecretOrFile webhook_url;
  std::string title = "{{ template \"msteamsv2.default.title\" . }}";
  std::string text = "{{ template \"msteamsv2.default.text\" . }}";
  std::optional<http::HttpConfig> http_config;
};

const auto& schema() {
  static const auto s = [] {
    config::Schema<Settings> all("msteamsv2_configs");
    all.beside(sending_schema(EndTold::by_default));
    add_secret(all, "webhook_url", "webhook_url_file", &Settings::webhook_url, "The workflow's URL.");
    all.optional("title", &Settings::title, "The first line. This and the text are Go templates.")
        .optional("text", &Settings::text, "The message.")
        .optional("http_config", &Settings::http_config, http::http_config_schema(), "How it is asked.");
    check_url(all, "webhook_url", &Settings::webhook_url, "https://prod-1.westeurope.logic.azure.com/workflows/...");
    all.shows({"title", "text"});
    return all;
  }();
  return s;
}

class MsTeamsV2 final : public Notifier {
 public:
  MsTeamsV2(Settings settings, HttpPost post, const TextReader& texts)
      : settings_(std::move(settings)),
        post_(std::move(post)),
        title_(texts.read("title", settings_.title)),
        text_(texts.read("text", settings_.text)) {}

  std::string type() const override { return "msteamsv2"; }
  std::vector<std::string> targets() const override { return {target_of(settings_.webhook_url, "msteamsv2")}; }

  std::string render(const std::vector<model::Alert>& alerts, const std::vector<model::RecoveryReport>&,
                     const Envelope& envelope) const override {
    const templates::Value data = message_data(alerts, envelope);
    const bool firing = std::any_of(alerts.begin(), alerts.end(),
                                    [](const model::Alert& alert) { return alert.state == model::AlertState::firing; });
    const ordered_json title{{"type", "TextBlock"},
                             {"text", shortened(title_.expand(data), kTitleLimit)},
                             {"weight", "Bolder"},
                             {"size", "Medium"},
                             {"wrap", true},
                             {"style", "heading"},
                             {"color", firing ? "attention" : "good"}};
    const ordered_json text{
        {"type", "TextBlock"}, {"text", base::shortened(text_.expand(data), kTextLimit)}, {"wrap", true}};
    const ordered_json card{{"$schema", "http://adaptivecards.io/schemas/adaptive-card.json"},
                            {"type", "AdaptiveCard"},
                            {"version", "1.2"},
                            {"body", ordered_json::array({title, text})},
                            {"msteams", {{"width", "full"}}}};
    const ordered_json attachment{
        {"contentType", "application/vnd.microsoft.card.adaptive"}, {"contentUrl", nullptr}, {"content", card}};
    return dump_json(ordered_json{{"type", "message"}, {"attachments", ordered_json::array({attachment})}});
  }

  loop::Handle send(const Context& context, std::size_t, const Message& message, base::Instant deadline,
                    std::function<void(Sent)> done) const override {
    return post_json(post_, context, settings_.webhook_url.read(), message.body, deadline, std::move(done));
  }

 private:
  Settings settings_;
  HttpPost post_;
  MessageText title_, text_;
};

std::unique_ptr<const Notifier> parse(const config::Node& node, const std::string& path,
                                      const std::vector<templates::Definitions>& definitions, config::Errors& errors) {
  return make_service<MsTeamsV2>(schema(), node, path, definitions, errors);
}

}  // namespace

extern const NotifierType msteamsv2_type;
const NotifierType msteamsv2_type{"msteamsv2",
                                  "Posts to a workflow of Microsoft Teams (Alertmanager has it since 0.28).",
                                  "{webhook_url: \"https://prod-1.westeurope.logic.azure.com/workflows/key\"}", parse,
                                  []() -> const std::vector<config::KeyReference>& { return schema().reference(); }};

}  // namespace notify
