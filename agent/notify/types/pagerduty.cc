// PagerDuty's Events API v2: an incident of ours, or a group of alerts, is one incident there, by its dedup_key. The
// routing key is put in when a message is sent, so that it is not kept with the message.
#include <algorithm>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/text.h"
#include "config/request.h"
#include "config/schema.h"
#include "crypto/digest.h"
#include "notify/fields.h"
#include "notify/json_service.h"
#include "notify/message_text.h"

namespace notify {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kSummaryLimit = 1024;    // characters; of the Events API
constexpr std::size_t kEventLimit = 512'000;   // bytes, with the routing key
constexpr std::size_t kDetailLimit = 200'000;  // bytes of one detail, to begin with
constexpr std::string_view kSeverities[] = {"critical", "error", "warning", "info"};

constexpr const char* kFirstApi =
    "is a key of the Events API v1, which fettle does not speak: give the service an integration for the Events API v2 "
    "and write its key as routing_key";

struct Link {
  std::string href, text;
};
struct Image {
  std::string src, alt, href;
};

struct Settings {
  SecretOrFile routing_key;
  std::string url = "https://events.pagerduty.com/v2/enqueue";
  std::string description = "{{ template \"pagerduty.default.description\" . }}";
  std::string client = "{{ template \"pagerduty.default.client\" . }}";
  std::string client_url = "{{ template \"pagerduty.default.clientURL\" . }}";
  std::string severity = "error";
  std::string source, event_class, component, group;
  std::map<std::string, std::string> details{
      {"firing", "{{ template \"pagerduty.default.instances\" .Alerts.Firing }}"},
      {"resolved", "{{ template \"pagerduty.default.instances\" .Alerts.Resolved }}"},
      {"num_firing", "{{ .Alerts.Firing | len }}"},
      {"num_resolved", "{{ .Alerts.Resolved | len }}"},
      {"incident", "{{ with .Incident }}{{ .Text }}{{ end }}"}};
  std::vector<Link> links;
  std::vector<Image> images;
  std::optional<http::HttpConfig> http_config;
};

const auto& link_schema() {
  static const auto s = config::Schema<Link>("link")
                            .required("href", &Link::href, "Where it leads.")
                            .optional("text", &Link::text, "What stands there.");
  return s;
}
const auto& image_schema() {
  static const auto s = config::Schema<Image>("image")
                            .required("src", &Image::src, "The picture's URL.")
                            .optional("alt", &Image::alt, "Text in its place.")
                            .optional("href", &Image::href, "Where it leads.");
  return s;
}

const auto& schema() {
  static const auto s = [] {
    config::Schema<Settings> all("pagerduty_configs");
    all.beside(sending_schema(EndTold::by_default));
    add_secret(all, "routing_key", "routing_key_file", &Settings::routing_key,
               "The integration key of the service (Events API v2).");
    all.optional("url", &Settings::url, "Where events are posted.")
        .optional("description", &Settings::description, "What is wrong. This and the texts below are Go templates.")
        .optional("client", &Settings::client, "Who says so.")
        .optional("source", &Settings::source, "Where it was seen; empty: the client.")
        .optional("client_url", &Settings::client_url, "Where that can be looked at.")
        .optional("severity", &Settings::severity, "critical, error, warning or info; anything else is sent as error.")
        .optional("class", &Settings::event_class, "The kind of the event.")
        .optional("component", &Settings::component, "The part that is broken.")
        .optional("group", &Settings::group, "What the part belongs to.")
        .optional("details", &Settings::details, "Further texts by name; they stand beside the usual ones.")
        .list("links", &Settings::links, link_schema(), "Links.")
        .list("images", &Settings::images, image_schema(), "Pictures.")
        .optional("http_config", &Settings::http_config, http::http_config_schema(), "How it is asked.")
        .refuses("service_key", kFirstApi)
        .refuses("service_key_file", kFirstApi)
        .check([](const Settings& s2, const config::Complain& complain) {
          if (const std::string why = config::url_complaint(s2.url, "https://events.pagerduty.com/v2/enqueue");
              !why.empty())
            complain("url", why);
        });
    all.shows({"description", "client", "source", "severity", "class", "component", "group"});
    return all;
  }();
  return s;
}

// As Alertmanager makes it of a group's key.
std::string dedup_key(const std::string& group_key) { return crypto::hex(crypto::sha256(group_key)); }

class PagerDuty final : public Notifier {
 public:
  PagerDuty(Settings settings, HttpPost post, const TextReader& texts)
      : settings_(std::move(settings)), post_(std::move(post)) {
    description_ = texts.read("description", settings_.description);
    client_ = texts.read("client", settings_.client);
    source_ = texts.read("source", settings_.source);
    client_url_ = texts.read("client_url", settings_.client_url);
    severity_ = texts.read("severity", settings_.severity);
    class_ = texts.read("class", settings_.event_class);
    component_ = texts.read("component", settings_.component);
    group_ = texts.read("group", settings_.group);
    std::map<std::string, std::string> details = settings_.details;
    details.merge(std::map(Settings{}.details));
    for (const auto& [name, text] : details) details_.emplace_back(name, texts.read("details", text));
    for (const Link& link : settings_.links)
      links_.push_back({{"href", texts.read("links", link.href)}, {"text", texts.read("links", link.text)}});
    for (const Image& image : settings_.images)
      images_.push_back({{"src", texts.read("images", image.src)},
                         {"alt", texts.read("images", image.alt)},
                         {"href", texts.read("images", image.href)}});
  }

  std::string type() const override { return "pagerduty"; }
  std::vector<std::string> targets() const override { return {origin(settings_.url)}; }

  std::string render(const std::vector<model::Alert>& alerts, const std::vector<model::RecoveryReport>&,
                     const Envelope& envelope) const override {
    const templates::Value data = message_data(alerts, envelope);
    const bool over = envelope.incident != nullptr
                          ? !envelope.incident->is_open()
                          : std::none_of(alerts.begin(), alerts.end(), [](const model::Alert& alert) {
                              return alert.state == model::AlertState::firing;
                            });
    ordered_json body{{"event_action", over ? "resolve" : "trigger"}, {"dedup_key", dedup_key(envelope.group_key)}};
    const auto put = [&](ordered_json& in, const char* key, const MessageText& text) {
      if (std::string value = text.expand(data); !value.empty()) in[key] = std::move(value);
    };
    put(body, "client", client_);
    put(body, "client_url", client_url_);
    ordered_json payload{{"summary", shortened(description_.expand(data), kSummaryLimit)},
                         {"source", source(data, envelope)},
                         {"severity", severity(data)}};
    put(payload, "class", class_);
    put(payload, "component", component_);
    put(payload, "group", group_);
    body["payload"] = std::move(payload);
    for (const auto& [key, list] : {std::pair{"links", &links_}, {"images", &images_}})
      for (const auto& each : *list) {
        ordered_json item = ordered_json::object();
        for (const auto& [name, text] : each) put(item, name, text);
        body[key].push_back(std::move(item));
      }
    std::string out;
    for (std::size_t limit = kDetailLimit; limit > 0; limit /= 2) {
      add_details(body["payload"], data, limit);
      out = dump_json(body);
      if (out.size() + kKeyRoom <= kEventLimit) break;
    }
    return out;
  }

  loop::Handle send(const Context& context, std::size_t, const Message& message, base::Instant deadline,
                    std::function<void(Sent)> done) const override {
    const auto key = settings_.routing_key.read();
    if (!key) return cannot_send(context, key.error(), std::move(done));
    ordered_json body = ordered_json::parse(message.body, nullptr, false);
    body["routing_key"] = *key;
    return post_json(post_, context, settings_.url, dump_json(body), deadline, std::move(done));
  }

 private:
  static constexpr std::size_t kKeyRoom = 1024;

  void add_details(ordered_json& payload, const templates::Value& data, std::size_t limit) const {
    payload.erase("custom_details");
    for (const auto& [name, text] : details_)
      if (std::string value = text.expand(data); !value.empty())
        payload["custom_details"][name] = base::shortened(value, limit);
  }

  // An event without a source, or with another severity, would be refused.
  std::string source(const templates::Value& data, const Envelope& envelope) const {
    std::string out = source_.expand(data);
    if (out.empty()) out = client_.expand(data);
    if (out.empty()) out = envelope.node;
    return out.empty() ? "fettle" : out;
  }
  std::string severity(const templates::Value& data) const {
    std::string out = severity_.expand(data);
    return std::find(std::begin(kSeverities), std::end(kSeverities), out) != std::end(kSeverities) ? out : "error";
  }

  using Parts = std::vector<std::pair<const char*, MessageText>>;

  Settings settings_;
  HttpPost post_;
  MessageText description_, client_, source_, client_url_, severity_, class_, component_, group_;
  std::vector<std::pair<std::string, MessageText>> details_;
  std::vector<Parts> links_, images_;
};

std::unique_ptr<const Notifier> parse(const config::Node& node, const std::string& path,
                                      const std::vector<templates::Definitions>& definitions, config::Errors& errors) {
  return make_service<PagerDuty>(schema(), node, path, definitions, errors);
}

constexpr GlobalDefault kDefaults[] = {{"pagerduty_url", "url"}};

}  // namespace

extern const NotifierType pagerduty_type;
const NotifierType pagerduty_type{"pagerduty",
                                  "Sends events to PagerDuty (Events API v2), one incident there for each one here.",
                                  "{routing_key: 0123456789abcdef0123456789abcdef}",
                                  parse,
                                  []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
                                  EndTold::by_default,
                                  kDefaults};

}  // namespace notify
