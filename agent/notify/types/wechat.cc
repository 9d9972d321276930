// WeCom (WeChat Work): messages of an application of a company. The token that it wants is fetched with the
// application's secret, and kept until it ends or is refused.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/percent.h"
#include "base/text.h"
#include "config/request.h"
#include "config/schema.h"
#include "encoding/json_value.h"
#include "loop/scheduler.h"
#include "notify/fields.h"
#include "notify/json_service.h"
#include "notify/message_text.h"
#include "notify/retry.h"

namespace notify {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kTextLimit = 2048;  // bytes
constexpr std::int64_t kTooMany = 45009, kBusy = -1;
constexpr std::int64_t kBadToken[] = {40001, 40014, 42001};
constexpr std::chrono::seconds kMargin{60};

struct Settings {
  SecretOrFile api_secret;
  std::string api_url = "https://qyapi.weixin.qq.com/cgi-bin/";
  std::string corp_id;
  std::string agent_id = "{{ template \"wechat.default.agent_id\" . }}";
  std::string to_user = "{{ template \"wechat.default.to_user\" . }}";
  std::string to_party = "{{ template \"wechat.default.to_party\" . }}";
  std::string to_tag = "{{ template \"wechat.default.to_tag\" . }}";
  std::string message = "{{ template \"wechat.default.message\" . }}";
  std::string message_type = "text";
  std::optional<http::HttpConfig> http_config;
};

const auto& schema() {
  static const auto s = [] {
    config::Schema<Settings> all("wechat_configs");
    all.beside(sending_schema(EndTold::when_asked));
    add_secret(all, "api_secret", "api_secret_file", &Settings::api_secret, "The secret of the application.");
    all.optional("api_url", &Settings::api_url, "The service's API.")
        .optional("corp_id", &Settings::corp_id, "The id of the company.")
        .fallback("wechat_api_corp_id")
        .optional("agent_id", &Settings::agent_id,
                  "The id of the application. This and the texts below are Go templates.")
        .optional("to_user", &Settings::to_user, "People who get it, with | between; @all is everybody.")
        .optional("to_party", &Settings::to_party, "Departments that get it.")
        .optional("to_tag", &Settings::to_tag, "Tags whose people get it.")
        .optional("message", &Settings::message, "The message.")
        .custom("message_type", "text or markdown.", "text",
                [](const config::Node& node, Settings& s2, const std::string& path, config::Errors& errors) {
                  const std::vector<std::string> types{"text", "markdown"};
                  std::size_t index = 0;
                  std::string why;
                  if (config::read_one_of(node, types, index, why)) s2.message_type = types[index];
                  else errors.add(node.mark(), path, why);
                })
        .optional("http_config", &Settings::http_config, http::http_config_schema(), "How it is asked.")
        .check([](const Settings& s2, const config::Complain& complain) {
          if (s2.corp_id.empty()) complain("", "write corp_id, or wechat_api_corp_id under global");
          if (const std::string why = config::url_complaint(s2.api_url, "https://qyapi.weixin.qq.com/cgi-bin/");
              !why.empty())
            complain("api_url", why);
        });
    all.shows({"corp_id", "agent_id", "to_user", "to_party", "to_tag", "message", "message_type"});
    return all;
  }();
  return s;
}

// What messages are sent with; of all messages of one integration. Loop thread.
struct Token {
  std::string text;  // "": there is none
  base::Instant good_until{};
};

std::int64_t code_of(const http::HttpResponse& response) {
  const encoding::json body = encoding::read_json(response.body);
  const encoding::json& code = encoding::member(body, "errcode");
  return code.is_number_integer() ? code.get<std::int64_t>() : 0;
}

Sent judge_wechat(const http::HttpResponse& response, base::WallTime now) {
  return judge_service(response, now, {"errcode", "errmsg", {kTooMany, kBusy}});
}

// One message: a token, unless there is one, and the message; once more of both if the token is refused.
class Exchange final : public loop::Registration {
 public:
  Exchange(const Context& context, const HttpPost& post, std::string api, std::string login,
           std::shared_ptr<Token> token, std::string body, base::Instant deadline, std::function<void(Sent)> done)
      : context_(context),
        post_(post),
        api_(std::move(api)),
        login_(std::move(login)),
        token_(std::move(token)),
        body_(std::move(body)),
        deadline_(deadline),
        done_(std::move(done)) {
    if (token_->text.empty() || token_->good_until <= context.scheduler.now()) fetch();
    else send();
  }

 private:
  void fetch() {
    token_->text.clear();
    fetched_ = true;
    http::HttpRequest request;
    request.url = fmt::format("{}gettoken?{}", api_, login_);
    request.deadline = deadline_;
    asking_ = post_.ask(context_, std::move(request),
                        [this](const base::Result<http::HttpResponse>& response) { heard_token(response); });
  }

  void heard_token(const base::Result<http::HttpResponse>& response) {
    const base::WallTime now = context_.scheduler.wall_now();
    Sent sent = response ? judge_wechat(*response, now) : judge(response, now);
    if (sent.fate == Fate::taken) {
      const encoding::json body = encoding::read_json(response->body);
      token_->text = encoding::text_of(encoding::member(body, "access_token"));
      if (!token_->text.empty()) {
        const auto said = encoding::number_of(encoding::member(body, "expires_in"));
        const std::chrono::seconds lasts{std::min<std::uint64_t>(said.value_or(7200), 86'400)};
        token_->good_until = context_.scheduler.now() + lasts - kMargin;
        return send();
      }
      sent.text = "the answer has no access_token";
    }
    if (sent.fate != Fate::refused) sent.fate = Fate::unreached;  // no message was sent
    sent.blame = Blame::receiver;
    sent.text = "no token: " + sent.text;
    finish(std::move(sent));
  }

  void send() {
    used_ = token_->text;
    http::HttpRequest request;
    request.url = fmt::format("{}message/send?access_token={}", api_, base::form_encode(token_->text));
    request.body = body_;
    request.deadline = deadline_;
    asking_ = post_.ask(context_, std::move(request),
                        [this](const base::Result<http::HttpResponse>& response) { heard(response); });
  }

  void heard(const base::Result<http::HttpResponse>& response) {
    const base::WallTime now = context_.scheduler.wall_now();
    Sent sent = response ? judge_wechat(*response, now) : judge(response, now);
    const bool bad_token = response && sent.fate == Fate::refused &&
                           std::count(std::begin(kBadToken), std::end(kBadToken), code_of(*response)) > 0;
    if (bad_token && !fetched_) return fetch();
    if (bad_token) token_->text.clear();
    finish(std::move(sent));
  }

  // May destroy this object.
  void finish(Sent sent) {
    base::KnownSecrets secrets;
    secrets.add(token_->text);
    secrets.add(used_);
    sent.text = secrets.blotted(std::move(sent.text));
    const auto done = std::move(done_);
    done(std::move(sent));
  }

  Context context_;
  HttpPost post_;
  std::string api_, login_;
  std::shared_ptr<Token> token_;
  std::string body_;
  base::Instant deadline_;
  std::function<void(Sent)> done_;
  std::string used_;      // the token of this exchange, which an answer may repeat
  bool fetched_ = false;  // by this exchange
  loop::Handle asking_;
};

class WeChat final : public Notifier {
 public:
  WeChat(Settings settings, HttpPost post, const TextReader& texts)
      : settings_(std::move(settings)),
        post_(std::move(post)),
        agent_id_(texts.read("agent_id", settings_.agent_id)),
        to_user_(texts.read("to_user", settings_.to_user)),
        to_party_(texts.read("to_party", settings_.to_party)),
        to_tag_(texts.read("to_tag", settings_.to_tag)),
        message_(texts.read("message", settings_.message)) {
    if (!settings_.api_url.ends_with('/')) settings_.api_url += '/';
  }

  std::string type() const override { return "wechat"; }
  std::vector<std::string> targets() const override { return {origin(settings_.api_url)}; }

  std::string render(const std::vector<model::Alert>& alerts, const std::vector<model::RecoveryReport>&,
                     const Envelope& envelope) const override {
    const templates::Value data = message_data(alerts, envelope);
    ordered_json body{{"touser", to_user_.expand(data)},
                      {"toparty", to_party_.expand(data)},
                      {"totag", to_tag_.expand(data)},
                      {"agentid", agent_id_.expand(data)},
                      {"safe", "0"},
                      {"msgtype", settings_.message_type}};
    body[settings_.message_type]["content"] = base::shortened(message_.expand(data), kTextLimit);
    return dump_json(body);
  }

  loop::Handle send(const Context& context, std::size_t, const Message& message, base::Instant deadline,
                    std::function<void(Sent)> done) const override {
    const auto secret = settings_.api_secret.read();
    if (!secret) return cannot_send(context, secret.error(), std::move(done));
    const std::string login =
        fmt::format("corpid={}&corpsecret={}", base::form_encode(settings_.corp_id), base::form_encode(*secret));
    return loop::Handle(std::make_unique<Exchange>(context, post_, settings_.api_url, login, token_, message.body,
                                                   deadline, std::move(done)));
  }

 private:
  Settings settings_;
  HttpPost post_;
  MessageText agent_id_, to_user_, to_party_, to_tag_, message_;
  std::shared_ptr<Token> token_ = std::make_shared<Token>();
};

std::unique_ptr<const Notifier> parse(const config::Node& node, const std::string& path,
                                      const std::vector<templates::Definitions>& definitions, config::Errors& errors) {
  return make_service<WeChat>(schema(), node, path, definitions, errors);
}

constexpr GlobalDefault kDefaults[] = {{"wechat_api_url", "api_url"},
                                       {"wechat_api_corp_id", "corp_id"},
                                       {"wechat_api_secret", "api_secret", "api_secret_file"},
                                       {"wechat_api_secret_file", "api_secret_file", "api_secret"}};

}  // namespace

extern const NotifierType wechat_type;
const NotifierType wechat_type{
    "wechat",
    "Sends messages of an application in WeCom (WeChat Work).",
    "{corp_id: ww0123456789abcdef, agent_id: \"1000002\", api_secret: key, to_user: \"@all\"}",
    parse,
    []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    EndTold::when_asked,
    kDefaults};

}  // namespace notify
