// One POST per message: the body of an Alertmanager webhook (version 4), field for field, and beside it our own fields
// `node` and `recoveries`; signed as Standard Webhooks.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/log.h"
#include "base/version.h"
#include "config/request.h"
#include "notify/fields.h"
#include "notify/notifier.h"
#include "notify/retry.h"
#include "notify/signature.h"

namespace notify {
namespace {

using nlohmann::ordered_json;

struct Settings {
  std::string url;
  base::Secret secret;
  std::string secret_file;
  std::map<std::string, std::string> headers;
};

const auto& schema() {
  static const auto s =
      config::Schema<Settings>("webhook")
          .required("url", &Settings::url, "Where messages are posted, http:// or https://.")
          .optional("secret", &Settings::secret, "Signs each message (Standard Webhooks): whsec_… or any text.")
          .optional("secret_file", &Settings::secret_file,
                    "File with the secret; one in each line while a secret is being exchanged. Read for each message.")
          .optional("headers", &Settings::headers, "Further headers.")
          .shows_origin("url")
          .check([](const Settings& s2, const config::Complain& complain) {
            if (const std::string why = config::url_complaint(s2.url, "https://hooks.shop.example/alerts");
                !why.empty())
              complain("url", why);
            if (const std::string why = config::headers_complaint(s2.headers); !why.empty()) complain("headers", why);
          });
  return s;
}

// What all alerts have in common.
model::Labels common(const std::vector<model::Labels>& sets) {
  std::vector<model::Label> out;
  if (sets.empty()) return {};
  for (const model::Label label : sets.front())
    if (std::all_of(sets.begin(), sets.end(), [&](const auto& set) { return set.get(label.name) == label.value; }))
      out.push_back(label);
  return model::Labels(std::move(out));
}

ordered_json recovery(const model::RecoveryReport& report) {
  ordered_json actions = ordered_json::array();
  for (const model::ActionReport& action : report.actions)
    actions.push_back({{"action", action.action},
                       {"result", action.result},
                       {"text", action.text},
                       {"startedAt", rfc3339_milliseconds(action.started)},
                       {"seconds", base::seconds(action.took)}});
  ordered_json out{{"id", report.id},           {"service", report.service},
                   {"trigger", report.trigger}, {"mode", report.mode},
                   {"state", report.state},     {"reason", report.reason},
                   {"attempt", report.attempt}, {"startedAt", rfc3339_milliseconds(report.started)}};
  out["endedAt"] = report.ended ? ordered_json(rfc3339_milliseconds(*report.ended)) : ordered_json(nullptr);
  out["actions"] = std::move(actions);
  return out;
}

std::vector<std::string> lines(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (!line.empty()) out.emplace_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
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
  Webhook(std::string url, std::vector<base::Secret> keys, std::string secret_file, http::Headers headers)
      : url_(std::move(url)),
        inlined_(std::move(keys)),
        keys_(inlined_),
        secret_file_(std::move(secret_file)),
        headers_(std::move(headers)) {}

  std::string type() const override { return "webhook"; }
  std::vector<std::string> targets() const override { return {origin(url_)}; }  // its path is often a secret
  bool tells_recoveries() const override { return true; }

  std::string render(const std::vector<model::Alert>& alerts, const std::vector<model::RecoveryReport>& recoveries,
                     const Envelope& envelope) const override {
    ordered_json list = ordered_json::array();
    std::vector<model::Labels> labels, annotations;
    bool any_firing = false;
    for (const model::Alert& alert : alerts) {
      const bool firing = alert.state == model::AlertState::firing;
      any_firing = any_firing || firing;
      labels.push_back(outward_labels(alert, envelope.external_labels));
      annotations.push_back(alert.annotations);
      list.push_back(
          {{"status", firing ? "firing" : "resolved"},
           {"labels", label_object(labels.back())},
           {"annotations", label_object(alert.annotations)},
           {"startsAt", rfc3339_shortest(starts_at(alert))},
           {"endsAt", firing ? "0001-01-01T00:00:00Z" : rfc3339_shortest(alert.resolved_at.value_or(envelope.at))},
           {"generatorURL", alert.generator_url},
           {"fingerprint", fmt::format("{:016x}", labels.back().hash())}});
    }
    ordered_json told = ordered_json::array();
    for (const model::RecoveryReport& report : recoveries) told.push_back(recovery(report));
    return dump_json({{"receiver", envelope.receiver},
                      {"status", any_firing ? "firing" : "resolved"},
                      {"alerts", std::move(list)},
                      {"groupLabels", label_object(envelope.group_labels)},
                      {"commonLabels", label_object(common(labels))},
                      {"commonAnnotations", label_object(common(annotations))},
                      {"externalURL", envelope.external_url},
                      {"version", "4"},
                      {"groupKey", envelope.group_key},
                      {"truncatedAlerts", 0},
                      {"node", envelope.node},
                      {"recoveries", std::move(told)}});
  }

  loop::Handle send(const Context& context, std::size_t, const Message& message, base::Instant deadline,
                    std::function<void(Sent)> done) const override {
    const base::WallTime now = context.scheduler.wall_now();
    http::HttpRequest request;
    request.method = "POST";
    request.url = url_;
    request.headers = headers_;
    request.headers.emplace_back("Content-Type", "application/json");
    request.headers.emplace_back("User-Agent", fmt::format("fettle/{}", base::version()));
    request.headers.emplace_back("webhook-id", message.id);
    request.headers.emplace_back("webhook-timestamp", fmt::format("{}", base::to_ms(now) / 1000));
    read_secrets_again();
    if (!keys_.empty()) request.headers.emplace_back("webhook-signature", sign(keys_, message.id, now, message.body));
    request.body = message.body;
    request.deadline = deadline;
    request.max_redirects = 0;
    request.reuse_connection = true;
    return context.http.request(
        std::move(request), [&scheduler = context.scheduler, done = std::move(done)](
                                const http::HttpResponse& response) { done(judge(response, scheduler.wall_now())); });
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

  std::string url_;
  std::vector<base::Secret> inlined_;
  mutable std::vector<base::Secret> keys_;  // with those of the file as it was read last; loop thread
  std::string secret_file_;
  http::Headers headers_;
};

std::unique_ptr<const Notifier> parse(const config::Node& node, const std::string& path, config::Errors& errors) {
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
  if (errors.size() > before) return nullptr;
  return std::make_unique<Webhook>(settings.url, std::move(keys), settings.secret_file,
                                   http::Headers(settings.headers.begin(), settings.headers.end()));
}

}  // namespace

extern const NotifierType webhook_type;
const NotifierType webhook_type{
    "webhook",
    "Posts to a URL what Alertmanager's webhook would (version 4), signed, with what "
    "recovery did.",
    "{url: \"https://hooks.example/fettle\", secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}", parse};

}  // namespace notify
