// DingTalk: a custom robot, signed with its secret if it has one (documented as "additional signature").
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "base/base64.h"
#include "base/percent.h"
#include "config/request.h"
#include "config/schema.h"
#include "crypto/hmac.h"
#include "loop/scheduler.h"
#include "notify/fields.h"
#include "notify/json_service.h"
#include "notify/message_text.h"

namespace notify {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kTextLimit = 5000;  // characters; the service takes 20,000 bytes

struct Settings {
  SecretOrFile url, secret;
  std::string title = "{{ template \"fettle.title\" . }}";
  std::string text = "{{ template \"fettle.text\" . }}";
  std::optional<http::HttpConfig> http_config;
};

const auto& schema() {
  static const auto s = [] {
    config::Schema<Settings> all("dingtalk_configs");
    all.beside(sending_schema(EndTold::by_default));
    add_secret(all, "url", "url_file", &Settings::url, "The robot's URL, with its token.");
    add_secret(all, "secret", "secret_file", &Settings::secret,
               "What messages are signed with, if the robot asks for it.", Needed::no);
    all.optional("title", &Settings::title, "The first line. This and the text are Go templates.")
        .optional("text", &Settings::text, "The message.")
        .optional("http_config", &Settings::http_config, http::http_config_schema(), "How it is asked.")
        .check([](const Settings& s2, const config::Complain& complain) {
          if (s2.url.secret.empty()) return;
          const std::string why =
              config::url_complaint(s2.url.secret.reveal(), "https://oapi.dingtalk.com/robot/send?access_token=...");
          if (!why.empty()) complain("url", why);
        });
    all.shows({"title", "text"});
    return all;
  }();
  return s;
}

// base64(HMAC-SHA256(secret, "TIMESTAMP\nSECRET")), with the timestamp in ms.
std::string signed_url(const std::string& url, const std::string& secret, base::WallTime now) {
  const std::int64_t timestamp = base::to_ms(now);
  const std::string sign = base::base64_encode(crypto::hmac_sha256(secret, fmt::format("{}\n{}", timestamp, secret)));
  return fmt::format("{}{}timestamp={}&sign={}", url, url.find('?') == std::string::npos ? '?' : '&', timestamp,
                     base::form_encode(sign));
}

// It answers 200 in any case.
Sent judge_answer(const http::HttpResponse& response, base::WallTime now) {
  return judge_service(response, now, {"errcode", "errmsg", {130101, 130102}});
}

class DingTalk final : public Notifier {
 public:
  DingTalk(Settings settings, HttpPost post, const TextReader& texts)
      : settings_(std::move(settings)),
        post_(std::move(post)),
        title_(texts.read("title", settings_.title)),
        text_(texts.read("text", settings_.text)) {}

  std::string type() const override { return "dingtalk"; }
  std::vector<std::string> targets() const override { return {target_of(settings_.url, "dingtalk")}; }

  std::string render(const std::vector<model::Alert>& alerts, const std::vector<model::RecoveryReport>&,
                     const Envelope& envelope) const override {
    const templates::Value data = message_data(alerts, envelope);
    const std::string title = title_.expand(data);
    const std::string text = shortened(text_.expand(data), kTextLimit);
    const ordered_json body{{"msgtype", "markdown"},
                            {"markdown", {{"title", title}, {"text", fmt::format("**{}**\n\n{}", title, text)}}}};
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
    if (!settings_.secret.empty()) {
      const auto secret = settings_.secret.read();
      if (!secret) return cannot_send(context, secret.error(), std::move(done));
      request.url = signed_url(*url, *secret, context.scheduler.wall_now());
    }
    return post_.send(context, std::move(request), std::move(done), judge_answer);
  }

 private:
  Settings settings_;
  HttpPost post_;
  MessageText title_, text_;
};

std::unique_ptr<const Notifier> parse(const config::Node& node, const std::string& path,
                                      const std::vector<templates::Definitions>& definitions, config::Errors& errors) {
  return make_service<DingTalk>(schema(), node, path, definitions, errors);
}

}  // namespace

extern const NotifierType dingtalk_type;
const NotifierType dingtalk_type{"dingtalk", "Posts to a custom robot of DingTalk.",
                                 "{url: \"https://oapi.dingtalk.com/robot/send?access_token=key\", secret: SEC0123}",
                                 parse,
                                 []() -> const std::vector<config::KeyReference>& { return schema().reference(); }};

}  // namespace notify
