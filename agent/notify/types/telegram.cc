// Telegram: a message of a bot in a chat.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "config/request.h"
#include "config/schema.h"
#include "encoding/json_value.h"
#include "notify/fields.h"
#include "notify/json_service.h"
#include "notify/message_text.h"

namespace notify {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kTextLimit = 4096;  // https://core.telegram.org/bots/api#sendmessage

struct Settings {
  SecretOrFile bot_token;
  std::int64_t chat_id = 0;
  std::string api_url = "https://api.telegram.org";
  std::string message = "{{ template \"telegram.default.message\" . }}";
  std::string parse_mode = "HTML";
  std::int64_t message_thread_id = 0;
  bool disable_notifications = false;
  std::optional<http::HttpConfig> http_config;
};

const auto& schema() {
  static const auto s = [] {
    config::Schema<Settings> all("telegram_configs");
    all.beside(sending_schema(EndTold::by_default));
    add_secret(all, "bot_token", "bot_token_file", &Settings::bot_token, "The token of the bot.");
    all.required("chat_id", &Settings::chat_id, "The number of the chat; that of a group is negative.")
        .optional("api_url", &Settings::api_url, "Telegram's API.")
        .optional("message", &Settings::message, "The text; a Go template.")
        .custom("parse_mode",
                "HTML, in which what stands in alerts is escaped, MarkdownV2, Markdown, or empty: plain text.", "HTML",
                [](const config::Node& node, Settings& s2, const std::string& path, config::Errors& errors) {
                  const std::vector<std::string> modes{"", "MarkdownV2", "Markdown", "HTML"};
                  std::size_t index = 0;
                  std::string why;
                  if (config::read_one_of(node, modes, index, why)) s2.parse_mode = modes[index];
                  else errors.add(node.mark(), path, why);
                })
        .optional("message_thread_id", &Settings::message_thread_id, "The topic of the group; 0: none.")
        .optional("disable_notifications", &Settings::disable_notifications, "Whether it comes without a sound.")
        .optional("http_config", &Settings::http_config, http::http_config_schema(), "How it is asked.")
        .check([](const Settings& s2, const config::Complain& complain) {
          if (const std::string why = config::url_complaint(s2.api_url, "https://api.telegram.org"); !why.empty())
            complain("api_url", why);
          if (s2.chat_id == 0) complain("chat_id", "must not be 0");
        });
    all.shows({"message", "parse_mode"});
    return all;
  }();
  return s;
}

// Its answer to 429 says in the body when to come again.
Sent judge_answer(const http::HttpResponse& response, base::WallTime now) {
  Sent sent = judge_service(response, now, {"ok", "description", {}});
  if (response.status != 429) return sent;
  const encoding::json body = encoding::read_json(response.body);
  if (body.is_object())
    if (const auto after = body.find("parameters"); after != body.end() && after->is_object())
      if (const auto seconds = after->find("retry_after"); seconds != after->end() && seconds->is_number_unsigned())
        sent.retry_after = std::chrono::seconds{std::min<std::int64_t>(seconds->get<std::int64_t>(), 86'400)};
  return sent;
}

class Telegram final : public Notifier {
 public:
  Telegram(Settings settings, HttpPost post, const TextReader& texts)
      : settings_(std::move(settings)), post_(std::move(post)), message_(texts.read("message", settings_.message)) {
    while (settings_.api_url.ends_with('/')) settings_.api_url.pop_back();
  }

  std::string type() const override { return "telegram"; }
  std::vector<std::string> targets() const override { return {origin(settings_.api_url)}; }

  std::string render(const std::vector<model::Alert>& alerts, const std::vector<model::RecoveryReport>&,
                     const Envelope& envelope) const override {
    using Output = templates::MessageTemplate::Output;
    const templates::Value data = message_data(alerts, envelope);
    std::string mode = settings_.parse_mode;
    std::string text = message_.expand(data, mode == "HTML" ? Output::html : Output::text);
    if (std::string cut = shortened(text, kTextLimit); cut != text) {
      // A tag or an entity that is cut apart would be refused.
      text = mode == "HTML" ? shortened(message_.expand(data), kTextLimit) : std::move(cut);
      mode.clear();
    }
    ordered_json body{{"chat_id", settings_.chat_id}, {"text", text}};
    if (settings_.message_thread_id != 0) body["message_thread_id"] = settings_.message_thread_id;
    if (!mode.empty()) body["parse_mode"] = mode;
    body["disable_web_page_preview"] = true;
    if (settings_.disable_notifications) body["disable_notification"] = true;
    return dump_json(body);
  }

  loop::Handle send(const Context& context, std::size_t, const Message& message, base::Instant deadline,
                    std::function<void(Sent)> done) const override {
    const auto token = settings_.bot_token.read();
    if (!token) return cannot_send(context, token.error(), std::move(done));
    return post_json(post_, context, fmt::format("{}/bot{}/sendMessage", settings_.api_url, *token), message.body,
                     deadline, std::move(done), judge_answer);
  }

 private:
  Settings settings_;
  HttpPost post_;
  MessageText message_;
};

std::unique_ptr<const Notifier> parse(const config::Node& node, const std::string& path,
                                      const std::vector<templates::Definitions>& definitions, config::Errors& errors) {
  return make_service<Telegram>(schema(), node, path, definitions, errors);
}

constexpr GlobalDefault kDefaults[] = {{"telegram_api_url", "api_url"}};

}  // namespace

extern const NotifierType telegram_type;
const NotifierType telegram_type{
    "telegram",
    "Sends messages of a Telegram bot.",
    "{bot_token: \"110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw\", chat_id: -1001234567890}",
    parse,
    []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    EndTold::by_default,
    kDefaults};

}  // namespace notify
