// Slack: an attachment for each message, by an incoming webhook or by chat.postMessage.
#include <fmt/format.h>

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>

#include "config/alertmanager_global.h"
#include "config/schema.h"
#include "notify/fields.h"
#include "notify/json_service.h"
#include "notify/message_text.h"

namespace notify {
namespace {

using nlohmann::ordered_json;

// https://api.slack.com/reference/messaging/attachments: longer titles are cut there anyway.
constexpr std::size_t kTitleLimit = 1024;
// Of a text, and of a field's title or value: those of blocks, which attachments are shown as.
constexpr std::size_t kTextLimit = 3000, kFieldLimit = 2000;

struct Field {
  std::string title, value;
  std::optional<bool> is_short;
};

struct Confirm {
  std::string text, title, ok_text, dismiss_text;
};

struct Action {
  std::string type, text, url, style, name, value;
  std::optional<Confirm> confirm;
};

struct Settings {
  SecretOrFile api_url;
  std::string channel;
  std::string username = "{{ template \"slack.default.username\" . }}";
  std::string color = "{{ if eq .Status \"firing\" }}danger{{ else }}good{{ end }}";
  std::string title = "{{ template \"slack.default.title\" . }}";
  std::string title_link = "{{ template \"slack.default.titlelink\" . }}";
  std::string pretext = "{{ template \"slack.default.pretext\" . }}";
  std::string text = "{{ template \"slack.default.text\" . }}";
  std::string fallback = "{{ template \"slack.default.fallback\" . }}";
  std::string footer = "{{ template \"slack.default.footer\" . }}";
  std::string callback_id = "{{ template \"slack.default.callbackid\" . }}";
  std::string icon_emoji = "{{ template \"slack.default.iconemoji\" . }}";
  std::string icon_url = "{{ template \"slack.default.iconurl\" . }}";
  std::string image_url, thumb_url;
  bool link_names = false, short_fields = false;
  std::vector<std::string> mrkdwn_in{"fallback", "pretext", "text"};
  std::vector<Field> fields;
  std::vector<Action> actions;
  std::optional<http::HttpConfig> http_config;
};

const auto& field_schema() {
  static const auto s = config::Schema<Field>("field")
                            .required("title", &Field::title, "Its heading.")
                            .required("value", &Field::value, "Its text.")
                            .optional("short", &Field::is_short, "Whether two stand beside each other.")
                            .fallback("short_fields");
  return s;
}

const auto& confirm_schema() {
  static const auto s = config::Schema<Confirm>("confirm")
                            .required("text", &Confirm::text, "The question.")
                            .optional("title", &Confirm::title, "Its heading.")
                            .optional("ok_text", &Confirm::ok_text, "What stands on the button for yes.")
                            .optional("dismiss_text", &Confirm::dismiss_text, "What stands on the button for no.");
  return s;
}

const auto& action_schema() {
  static const auto s = config::Schema<Action>("action")
                            .required("type", &Action::type, "button, say.")
                            .required("text", &Action::text, "What stands on it.")
                            .optional("url", &Action::url, "Where it leads.")
                            .optional("style", &Action::style, "primary, danger or default.")
                            .optional("name", &Action::name, "Its name for the app that hears of it.")
                            .optional("value", &Action::value, "Its value for the app.")
                            .optional("confirm", &Action::confirm, confirm_schema(), "A question before it does that.")
                            .check([](const Action& action, const config::Complain& complain) {
                              if (action.url.empty() && action.name.empty()) complain("", "write url, or name");
                            });
  return s;
}

const auto& schema() {
  static const auto s = [] {
    config::Schema<Settings> all("slack_configs");
    all.beside(sending_schema(EndTold::when_asked));
    add_secret(all, "api_url", "api_url_file", &Settings::api_url,
               "The incoming webhook's URL, or https://slack.com/api/chat.postMessage.");
    all.optional("channel", &Settings::channel, "The channel or user; empty: that of the webhook.")
        .optional("username", &Settings::username, "Who says it. This and the texts below are Go templates.")
        .optional("color", &Settings::color, "good, warning, danger or #rrggbb.")
        .optional("title", &Settings::title, "The first line.")
        .optional("title_link", &Settings::title_link, "Where the title leads.")
        .optional("pretext", &Settings::pretext, "Text above the message.")
        .optional("text", &Settings::text, "The message.")
        .optional("fallback", &Settings::fallback, "What notifications of the desktop show.")
        .optional("footer", &Settings::footer, "Text below the message.")
        .optional("callback_id", &Settings::callback_id, "For the app that hears of actions.")
        .optional("icon_emoji", &Settings::icon_emoji, "An emoji in place of the icon.")
        .optional("icon_url", &Settings::icon_url, "A picture in place of the icon.")
        .optional("image_url", &Settings::image_url, "A picture in the message.")
        .optional("thumb_url", &Settings::thumb_url, "A small picture beside the message.")
        .optional("link_names", &Settings::link_names, "Whether names of people and channels become links.")
        .optional("short_fields", &Settings::short_fields, "Whether two fields stand beside each other.")
        .optional("mrkdwn_in", &Settings::mrkdwn_in, "Which texts are in Slack's markup.")
        .list("fields", &Settings::fields, field_schema(), "Fields below the text.")
        .list("actions", &Settings::actions, action_schema(), "Buttons below the text.")
        .optional("http_config", &Settings::http_config, http::http_config_schema(), "How it is asked.")
        .refuses("app_token", config::kSlackAppInstead)
        .refuses("app_token_file", config::kSlackAppInstead)
        .refuses("app_url", config::kSlackAppInstead);
    check_url(all, "api_url", &Settings::api_url, "https://hooks.slack.com/services/...");
    all.shows({"channel", "username", "color", "title", "pretext", "text", "fallback", "footer", "callback_id",
               "icon_emoji", "mrkdwn_in"});
    return all;
  }();
  return s;
}

// A text under its key in the body.
struct Text {
  const char* key;
  MessageText text;
};

class Slack final : public Notifier {
 public:
  Slack(Settings settings, HttpPost post, const TextReader& texts)
      : settings_(std::move(settings)), post_(std::move(post)) {
    const auto add = [&](std::vector<Text>& to, const char* key, const std::string& text) {
      to.push_back({key, texts.read(key, text)});
    };
    add(head_, "channel", settings_.channel);
    add(head_, "username", settings_.username);
    add(head_, "icon_emoji", settings_.icon_emoji);
    add(head_, "icon_url", settings_.icon_url);
    add(attachment_, "title", settings_.title);
    add(attachment_, "title_link", settings_.title_link);
    add(attachment_, "pretext", settings_.pretext);
    add(attachment_, "text", settings_.text);
    add(attachment_, "fallback", settings_.fallback);
    add(attachment_, "callback_id", settings_.callback_id);
    add(attachment_, "image_url", settings_.image_url);
    add(attachment_, "thumb_url", settings_.thumb_url);
    add(attachment_, "footer", settings_.footer);
    add(attachment_, "color", settings_.color);
    for (const Field& field : settings_.fields) {
      auto& parts = fields_.emplace_back();
      add(parts, "title", field.title);
      add(parts, "value", field.value);
    }
    for (const Action& action : settings_.actions) {
      auto& parts = actions_.emplace_back();
      add(parts, "type", action.type);
      add(parts, "text", action.text);
      add(parts, "url", action.url);
      add(parts, "style", action.style);
      add(parts, "name", action.name);
      add(parts, "value", action.value);
      auto& question = confirms_.emplace_back();
      if (!action.confirm) continue;
      add(question, "text", action.confirm->text);
      add(question, "title", action.confirm->title);
      add(question, "ok_text", action.confirm->ok_text);
      add(question, "dismiss_text", action.confirm->dismiss_text);
    }
  }

  std::string type() const override { return "slack"; }
  std::vector<std::string> targets() const override { return {target_of(settings_.api_url, "slack")}; }

  std::string render(const std::vector<model::Alert>& alerts, const std::vector<model::RecoveryReport>&,
                     const Envelope& envelope) const override {
    const templates::Value data = message_data(alerts, envelope);
    ordered_json body = expanded(head_, data);
    if (settings_.link_names) body["link_names"] = true;
    ordered_json attachment = expanded(attachment_, data);
    bound(attachment, {"title"}, kTitleLimit);
    bound(attachment, {"text", "pretext", "fallback", "footer"}, kTextLimit);
    attachment["mrkdwn_in"] = settings_.mrkdwn_in;
    for (std::size_t i = 0; i < fields_.size(); ++i) {
      ordered_json field = expanded(fields_[i], data);
      bound(field, {"title", "value"}, kFieldLimit);
      field["short"] = settings_.fields[i].is_short.value_or(settings_.short_fields);
      attachment["fields"].push_back(std::move(field));
    }
    for (std::size_t i = 0; i < actions_.size(); ++i) {
      ordered_json action = expanded(actions_[i], data);
      if (!confirms_[i].empty()) action["confirm"] = expanded(confirms_[i], data);
      attachment["actions"].push_back(std::move(action));
    }
    body["attachments"] = ordered_json::array({std::move(attachment)});
    return dump_json(body);
  }

  loop::Handle send(const Context& context, std::size_t, const Message& message, base::Instant deadline,
                    std::function<void(Sent)> done) const override {
    return post_json(post_, context, settings_.api_url.read(), message.body, deadline, std::move(done), judge_answer);
  }

 private:
  // chat.postMessage answers 200 in any case.
  static Sent judge_answer(const http::HttpResponse& response, base::WallTime now) {
    return judge_service(
        response, now,
        {"ok",
         "error",
         {},
         {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}});
  }

  static void bound(ordered_json& texts, std::initializer_list<const char*> keys, std::size_t characters) {
    for (const char* key : keys)
      if (texts.contains(key)) texts[key] = shortened(texts[key].get<std::string>(), characters);
  }

  static ordered_json expanded(const std::vector<Text>& texts, const templates::Value& data) {
    ordered_json out = ordered_json::object();
    for (const Text& each : texts)
      if (std::string text = each.text.expand(data); !text.empty()) out[each.key] = std::move(text);
    return out;
  }

  Settings settings_;
  HttpPost post_;
  std::vector<Text> head_, attachment_;
  std::vector<std::vector<Text>> fields_, actions_, confirms_;  // a question, or none, for each action
};

std::unique_ptr<const Notifier> parse(const config::Node& node, const std::string& path,
                                      const std::vector<templates::Definitions>& definitions, config::Errors& errors) {
  return make_service<Slack>(schema(), node, path, definitions, errors);
}

constexpr GlobalDefault kDefaults[] = {{"slack_api_url", "api_url", "api_url_file"},
                                       {"slack_api_url_file", "api_url_file", "api_url"}};

}  // namespace

extern const NotifierType slack_type;
const NotifierType slack_type{"slack",
                              "Posts to Slack.",
                              "{api_url: \"https://hooks.slack.com/services/T0/B0/key\", channel: \"#alerts\"}",
                              parse,
                              []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
                              EndTold::when_asked,
                              kDefaults};

}  // namespace notify
