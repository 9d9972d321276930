// One POST per message: webhook_body, signed as Standard Webhooks.
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <optional>

#include "base/ascii.h"
#include "base/file.h"
#include "base/log.h"
#include "config/request.h"
#include "loop/scheduler.h"
#include "notify/fields.h"
#include "notify/http_post.h"
#include "notify/json_service.h"
#include "notify/notifier.h"
#include "notify/signature.h"
#include "notify/webhook_body.h"

namespace notify {
namespace {

struct Settings {
  std::string url, url_file;
  base::Secret secret;
  std::string secret_file;
  std::map<std::string, std::string> headers;
  std::size_t max_alerts = 0;
  std::optional<http::HttpConfig> http_config;
};

const auto& schema() {
  static const auto s =
      config::Schema<Settings>("webhook_configs")
          .beside(sending_schema(EndTold::by_default))
          .optional("url", &Settings::url, "Where messages are posted, http:// or https://.")
          .fallback("url_file")
          .optional("url_file", &Settings::url_file, "A file with that; read for each message.")
          .fallback("none")
          .optional("secret", &Settings::secret, "Signs each message (Standard Webhooks): whsec_… or any text.")
          .optional("secret_file", &Settings::secret_file,
                    "File with the secret; one in each line while a secret is being exchanged. Read for each message.")
          .optional("headers", &Settings::headers, "Further headers.")
          .optional("max_alerts", &Settings::max_alerts,
                    "So many alerts in a message at most, the others are counted in truncatedAlerts; 0: all.")
          .optional(
              "http_config", &Settings::http_config, http::http_config_schema(),
              "How it is asked: credentials, TLS, proxy. Without it no redirect is followed, with it those that keep "
              "the body (307, 308).")
          .shows_origin("url")
          .check([](const Settings& s2, const config::Complain& complain) {
            if (s2.url.empty() && s2.url_file.empty()) return complain("", "write url or url_file");
            if (!s2.url.empty() && !s2.url_file.empty()) complain("url_file", "cannot stand beside url");
            if (const std::string why = config::url_complaint(s2.url, "https://hooks.shop.example/alerts");
                !s2.url.empty() && !why.empty())
              complain("url", why);
            if (const std::string why = config::headers_complaint(s2.headers); !why.empty()) complain("headers", why);
          });
  return s;
}

std::vector<std::string> lines(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    std::string_view line = base::take_line(text);
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (!line.empty()) out.emplace_back(line);
  }
  return out;
}

// Its secrets, a line each. Errors name the file.
base::Result<std::vector<base::Secret>> secrets_of(const std::string& file) {
  TRY(const std::string text, base::read_file(file, 64 * 1024));
  std::vector<base::Secret> keys;
  for (const std::string& line : lines(text)) {
    TRY(base::Secret key, parse_secret(line));
    keys.push_back(std::move(key));
  }
  if (keys.empty()) return base::fail(base::Kind::invalid, file + " has no secret in it");
  return keys;
}

class Webhook final : public Notifier {
 public:
  Webhook(SecretOrFile url, std::vector<base::Secret> keys, std::string secret_file, http::Headers headers,
          std::size_t max_alerts, HttpPost post)
      : url_(std::move(url)),
        inlined_(std::move(keys)),
        keys_(inlined_),
        secret_file_(std::move(secret_file)),
        headers_(std::move(headers)),
        max_alerts_(max_alerts),
        post_(std::move(post)) {}

  std::string type() const override { return "webhook"; }
  std::vector<std::string> targets() const override {
    return {target_of(url_, "webhook")};
  }  // its path is often a secret
  bool tells_recoveries() const override { return true; }

  std::string render(const std::vector<model::Alert>& alerts, const std::vector<model::RecoveryReport>& recoveries,
                     const Envelope& envelope) const override {
    const std::size_t told = max_alerts_ == 0 ? alerts.size() : std::min(max_alerts_, alerts.size());
    const std::vector<model::Alert> first(alerts.begin(), alerts.begin() + static_cast<std::ptrdiff_t>(told));
    return webhook_body(first, recoveries, envelope, alerts.size() - told);
  }

  loop::Handle send(const Context& context, std::size_t, const Message& message, base::Instant deadline,
                    std::function<void(Sent)> done) const override {
    const base::WallTime now = context.scheduler.wall_now();
    const auto url = url_.read();
    if (!url) return cannot_send(context, url.error(), std::move(done));
    http::HttpRequest request;
    request.url = *url;
    request.private_headers = headers_;
    request.headers = {{"webhook-id", message.id}, {"webhook-timestamp", fmt::format("{}", base::to_ms(now) / 1000)}};
    read_secrets_again();
    if (!keys_.empty()) request.headers.emplace_back("webhook-signature", sign(keys_, message.id, now, message.body));
    request.body = message.body;
    request.deadline = deadline;
    return post_.send(context, std::move(request), std::move(done));
  }

 private:
  // A file that cannot be used now leaves what it said before: a message is late rather than unsigned.
  void read_secrets_again() const {
    if (secret_file_.empty()) return;
    auto now = secrets_of(secret_file_);
    if (now) {
      keys_ = inlined_;
      keys_.insert(keys_.end(), now->begin(), now->end());
    } else {
      base::log::warn("a receiver's secret cannot be read; the one before goes on", {{"error", now.error().text}});
    }
  }

  SecretOrFile url_;
  std::vector<base::Secret> inlined_;
  mutable std::vector<base::Secret> keys_;  // with those of the file as it was read last; loop thread
  std::string secret_file_;
  http::Headers headers_;
  std::size_t max_alerts_;
  HttpPost post_;
};

std::unique_ptr<const Notifier> parse(const config::Node& node, const std::string& path,
                                      const std::vector<templates::Definitions>&, config::Errors& errors) {
  const std::size_t before = errors.size();
  const Settings settings = schema().parse(node, path, errors);
  if (errors.size() > before) return nullptr;
  std::vector<base::Secret> keys;
  const auto add = [&](std::string_view key, std::string_view text) {
    if (auto parsed = parse_secret(text)) keys.push_back(std::move(*parsed));
    else errors.add(node.find(key).mark(), path + "." + std::string(key), parsed.error().text);
  };
  if (!settings.secret.empty()) add("secret", settings.secret.reveal());
  if (!settings.secret_file.empty()) {
    const auto read = secrets_of(settings.secret_file);
    if (!read) errors.add(node.find("secret_file").mark(), path + ".secret_file", read.error().text);
  }
  HttpPost post(settings.http_config, node, path, errors);
  if (errors.size() > before) return nullptr;
  return std::make_unique<Webhook>(
      SecretOrFile{base::Secret(settings.url), settings.url_file}, std::move(keys), settings.secret_file,
      http::Headers(settings.headers.begin(), settings.headers.end()), settings.max_alerts, std::move(post));
}

}  // namespace

extern const NotifierType webhook_type;
const NotifierType webhook_type{
    "webhook",
    "Posts to a URL what Alertmanager's webhook would (version 4), signed, with what "
    "recovery did.",
    "{url: \"https://hooks.example/fettle\", secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}", parse,
    []() -> const std::vector<config::KeyReference>& { return schema().reference(); }};

}  // namespace notify
