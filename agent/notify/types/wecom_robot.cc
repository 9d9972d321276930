// WeCom: a robot of a group.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "config/request.h"
#include "config/schema.h"
#include "notify/fields.h"
#include "notify/json_service.h"
#include "notify/message_text.h"

namespace notify {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kTextLimit = 1000;  // characters; the service takes 4,096 bytes

struct Settings {
  SecretOrFile url;
  std::string title = "{{ template \"fettle.title\" . }}";
  std::string text = "{{ template \"fettle.text\" . }}";
  std::optional<http::HttpConfig> http_config;
};

const auto& schema() {
  static const auto s = [] {
    config::Schema<Settings> all("wecom_robot_configs");
    all.beside(sending_schema(EndTold::by_default));
    add_secret(all, "url", "url_file", &Settings::url, "The robot's URL, with its token.");
    all.optional("title", &Settings::title, "The first line. This and the text are Go templates.")
        .optional("text", &Settings::text, "The message.")
        .optional("http_config", &Settings::http_config, http::http_config_schema(), "How it is asked.")
        .check([](const Settings& s2, const config::Complain& complain) {
          if (s2.url.secret.empty()) return;
          const std::string why =
              config::url_complaint(s2.url.secret.reveal(), "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=...");
          if (!why.empty()) complain("url", why);
        });
    all.shows({"title", "text"});
    return all;
  }();
  return s;
}

// It answers 200 in any case.
Sent judge_answer(const http::HttpResponse& response, base::WallTime now) {
  return judge_service(response, now, {"errcode", "errmsg", {45009}});
}

class WeComRobot final : public Notifier {
 public:
  WeComRobot(Settings settings, HttpPost post, const TextReader& texts)
      : settings_(std::move(settings)),
        post_(std::move(post)),
        title_(texts.read("title", settings_.title)),
        text_(texts.read("text", settings_.text)) {}

  std::string type() const override { return "wecom_robot"; }
  std::vector<std::string> targets() const override { return {target_of(settings_.url, "wecom_robot")}; }

  std::string render(const std::vector<model::Alert>& alerts, const std::vector<model::RecoveryReport>&,
                     const Envelope& envelope) const override {
    const templates::Value data = message_data(alerts, envelope);
    const std::string title = title_.expand(data);
    const std::string text = shortened(text_.expand(data), kTextLimit);
    const ordered_json body{{"msgtype", "markdown"},
                            {"markdown", {{"content", fmt::format("**{}**\n{}", title, text)}}}};
    return dump_json(body);
  }

  loop::Handle send(const Context& context, std::size_t, const Message& message, base::Instant deadline,
                    std::function<void(Sent)> done) const override {
    const auto url = settings_.url.read();
    if (!url) return cannot_send(context, url.error(), std::move(done));
    http::HttpRequest request;
    request.url = *url;
    request.body = message.body;
    request.deadline = deadline;
    return post_.send(context, std::move(request), std::move(done), judge_answer);
  }

 private:
  Settings settings_;
  HttpPost post_;
  MessageText title_, text_;
};

std::unique_ptr<const Notifier> parse(const config::Node& node, const std::string& path,
                                      const std::vector<templates::Definitions>& definitions, config::Errors& errors) {
  return make_service<WeComRobot>(schema(), node, path, definitions, errors);
}

}  // namespace

extern const NotifierType wecom_robot_type;
const NotifierType wecom_robot_type{"wecom_robot", "Posts to a robot of a group in WeCom.",
                                    "{url: \"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=key\"}", parse,
                                    []() -> const std::vector<config::KeyReference>& { return schema().reference(); }};

}  // namespace notify
