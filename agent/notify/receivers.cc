// The `receivers` of the configuration: Alertmanager's, with its integrations and ours.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>

#include "base/file.h"
#include "config/defaults.h"
#include "config/redact.h"
#include "config/schema.h"
#include "notify/notifications.h"
#include "notify/registry.h"

namespace notify {
namespace {

struct Integration {
  const NotifierType* type = nullptr;
  config::Node node;
  std::size_t at = 0;
};

struct Fallback {
  std::string receiver;
  base::Millis after{300'000};
};

struct ReceiverKeys {
  std::string name;
  std::optional<Tell> tell;
  std::optional<Fallback> fallback;
  std::vector<Integration> integrations;  // as they stand in the file
};

// A receiver whose answers are told without what it was told: it may repeat headers, and errors name URLs.
class RedactingNotifier final : public Notifier {
 public:
  RedactingNotifier(std::unique_ptr<const Notifier> inner, base::KnownSecrets secrets)
      : inner_(std::move(inner)), secrets_(std::move(secrets)) {}
  std::string type() const override { return inner_->type(); }
  std::string render(const std::vector<model::Alert>& alerts, const std::vector<model::RecoveryReport>& recoveries,
                     const Envelope& envelope) const override {
    return inner_->render(alerts, recoveries, envelope);
  }
  std::vector<std::string> targets() const override { return inner_->targets(); }
  loop::Handle send(const Context& context, std::size_t target, const Message& message, base::Instant deadline,
                    std::function<void(Sent)> done) const override {
    return inner_->send(context, target, message, deadline, [secrets = secrets_, done = std::move(done)](Sent sent) {
      sent.text = base::without_secrets(secrets.blotted(std::move(sent.text)));
      done(std::move(sent));
    });
  }
  base::Millis resend() const override { return inner_->resend(); }
  bool tells_recoveries() const override { return inner_->tells_recoveries(); }

 private:
  std::unique_ptr<const Notifier> inner_;
  base::KnownSecrets secrets_;
};

std::string key_of(const NotifierType& type) { return fmt::format("{}_configs", type.name); }

void read_tell(const config::Node& node, ReceiverKeys& receiver, const std::string& path, config::Errors& errors) {
  std::size_t index = 0;
  std::string why;
  if (config::read_one_of(node, {"unhealed", "healed", "all"}, index, why)) receiver.tell = static_cast<Tell>(index);
  else errors.add(node.mark(), path, why);
}

// A key that people know from elsewhere and that is not offered, and what to write in its place.
struct Refused {
  const char* key;
  const char* instead;
};
constexpr const char* kNotOffered =
    "fettle has no such integration. Send to an Alertmanager that has it (alertmanager_configs), or run a program that "
    "sends it (exec_configs)";
constexpr const char* kOfIntegration =
    "belongs to each integration: write it into the item of webhook_configs, exec_configs or alertmanager_configs";
constexpr Refused kRefused[] = {
    {"discord_configs", kNotOffered},
    {"incidentio_configs", kNotOffered},
    {"jira_configs", kNotOffered},
    {"mattermost_configs", kNotOffered},
    {"opsgenie_configs", kNotOffered},
    {"pushover_configs", kNotOffered},
    {"rocketchat_configs", kNotOffered},
    {"sns_configs", kNotOffered},
    {"victorops_configs", kNotOffered},
    {"webex_configs", kNotOffered},
    {"alertmanager", "is a list now: write alertmanager_configs: [{urls: [...]}]"},
    {"exec", "is a list now: write exec_configs: [{argv: [...]}]"},
    {"webhook", "is a list now, as in Alertmanager: write webhook_configs: [{url: ...}]"},
    {"match",
     "what a receiver hears is said by route: write route: {receiver: ..., routes: [{receiver: ..., matchers: "
     "['severity=\"page\"']}]} beside receivers"},
    {"group_wait", "belongs to a route: write it into route, beside receivers"},
    {"send_resolved", kOfIntegration},
    {"timeout", kOfIntegration},
};

bool is_offered(std::string_view key) {
  return std::any_of(notifier_types().begin(), notifier_types().end(),
                     [&](const NotifierType* type) { return key_of(*type) == key; });
}

void add_refused(config::Schema<ReceiverKeys>& schema) {
  for (const Refused& each : kRefused)
    if (!is_offered(each.key)) schema.refuses(each.key, each.instead);
}

const config::Schema<Fallback>& fallback_schema() {
  static const auto s = config::Schema<Fallback>("fallback")
                            .required("receiver", &Fallback::receiver, "The receiver that is told in its place.")
                            .optional("after", &Fallback::after, "How long no integration of this one has taken it.")
                            .shows({"receiver"})
                            .check([](const Fallback& f, const config::Complain& complain) {
                              if (f.after <= base::Millis{0}) complain("after", "must be longer than 0s");
                            });
  return s;
}

config::Schema<ReceiverKeys> make_schema() {
  config::Schema<ReceiverKeys> s("receivers");
  s.required("name", &ReceiverKeys::name, "Its name: in routes, metrics, logs and messages.")
      .custom("tell",
              "unhealed: of a service's fault once it is clear that recovery does not mend it, one page with what was "
              "tried, and its end. healed: a note of each fault that was over before anybody was paged. all: every "
              "alert as it comes, grouped as its route says. An Alertmanager is always told all.",
              "unhealed; all for an Alertmanager", read_tell)
      .optional(
          "fallback", &ReceiverKeys::fallback, fallback_schema(),
          "Another receiver for what this one has not taken: {receiver: mail, after: 5m}. Of an Alertmanager: for "
          "what none of its urls has taken.");
  for (const NotifierType* type : notifier_types())
    s.items(key_of(*type), std::string(type->summary),
            [type](ReceiverKeys& receiver, const config::Node& item, std::size_t at) {
              receiver.integrations.push_back({type, item, at});
            });
  add_refused(s);
  s.check([](const ReceiverKeys& receiver, const config::Complain& complain) {
    if (receiver.name.empty()) complain("name", "must not be empty");
    for (const Integration& each : receiver.integrations)
      if (each.type->name == "alertmanager" && receiver.tell.value_or(Tell::all) != Tell::all)
        return complain("tell", "must be all, or left out: alerts are never held from an Alertmanager");
  });
  return s;
}

const config::Schema<ReceiverKeys>& schema() {
  static const auto s = make_schema();
  return s;
}

// The keys of an integration with those of `global` that stand for what it does not say.
config::Node with_global(const NotifierType& type, const config::Node& node, const config::Node& global) {
  std::vector<std::pair<std::string, config::Node>> defaults;
  for (const GlobalDefault& each : type.defaults)
    if (each.beside.empty() || node.find(each.beside).is_null())
      defaults.emplace_back(each.key, global.find(each.global));
  const auto& keys = type.reference();
  const bool over_http =
      std::any_of(keys.begin(), keys.end(), [](const auto& key) { return key.key == "http_config"; });
  if (over_http && type.name != "alertmanager") defaults.emplace_back("http_config", global.find("http_config"));
  return config::with_defaults(node, defaults);
}

std::optional<ReceiverSpec> parse_integration(const ReceiverKeys& receiver, const Integration& integration,
                                              const std::string& receiver_path,
                                              const std::vector<templates::Definitions>& definitions,
                                              config::Errors& errors) {
  const NotifierType& type = *integration.type;
  const std::string path = fmt::format("{}.{}[{}]", receiver_path, key_of(type), integration.at);
  const std::size_t before = errors.size();
  ReceiverSpec spec;
  spec.notifier = type.parse(integration.node, path, definitions, errors);
  if (!integration.node.is_mapping()) return std::nullopt;
  const SendingKeys keys = sending_schema(type.end).parse_beside(integration.node, path, errors,
                                                                 {.send_resolved = type.end == EndTold::by_default});
  if (errors.size() > before) return std::nullopt;
  spec.name = receiver.name;
  spec.id = fmt::format("{} {}[{}]", receiver.name, type.name, integration.at);
  spec.timeout = keys.timeout;
  spec.send_resolved = keys.send_resolved;
  const bool messages = spec.notifier->resend().count() == 0;
  if (receiver.fallback) {
    spec.fallback = receiver.fallback->receiver;
    spec.fallback_after = receiver.fallback->after;
  }
  spec.tell = messages ? receiver.tell.value_or(Tell::unhealed) : Tell::all;
  spec.notifier = std::make_unique<RedactingNotifier>(std::move(spec.notifier), config::secrets_of(integration.node));
  return spec;
}

// The integrations of one receiver; none of them if one has a mistake, since people count on all.
std::vector<ReceiverSpec> parse_receiver(const config::Node& node, const std::string& path, const config::Node& global,
                                         ReceiverKeys& receiver, const std::vector<templates::Definitions>& definitions,
                                         config::Errors& errors) {
  const std::size_t before = errors.size();
  receiver = schema().parse(node, path, errors);
  for (Integration& each : receiver.integrations) each.node = with_global(*each.type, each.node, global);
  std::vector<ReceiverSpec> out;
  for (const Integration& each : receiver.integrations)
    if (auto spec = parse_integration(receiver, each, path, definitions, errors)) out.push_back(*std::move(spec));
  if (errors.size() > before) out.clear();
  return out;
}

// The files of `templates`: patterns, relative to the configuration's folder. One that fits no file is no mistake.
std::vector<templates::Definitions> read_templates(const config::AgentConfig& config, config::Errors& errors) {
  std::vector<templates::Definitions> out;
  const auto folder = std::filesystem::path(config.root.mark().file).parent_path();
  const std::vector<config::Node> nodes = config.root.find("templates").items();
  for (std::size_t i = 0; i < config.templates.size(); ++i)
    for (const std::string& file : base::glob((folder / config.templates[i]).string())) {
      const auto complain = [&](const std::string& what) {
        errors.add(nodes.size() > i ? nodes[i].mark() : config::Mark{}, fmt::format("templates[{}]", i), what);
      };
      auto text = base::read_file(file);
      if (!text) {
        complain(text.error().text);
        continue;
      }
      if (const auto good = templates::MessageTemplate::parse(file, *text, {}); !good)
        complain(fmt::format("{}: {}", file, good.error().text));
      else out.push_back({file, *std::move(text)});
    }
  return out;
}

// A fallback is another receiver, and the ways of all do not end where they began.
void check_fallbacks(const config::AgentConfig& config, const ReceiverNames& names,
                     const std::map<std::string, std::string>& ways, config::Errors& errors) {
  for (std::size_t i = 0; i < config.receivers.size(); ++i) {
    const auto way = ways.find(config.receivers[i].find("name").scalar());
    if (way == ways.end()) continue;
    const auto complain = [&](const std::string& what) {
      errors.add(config.receivers[i].find("fallback").find("receiver").mark(),
                 fmt::format("receivers[{}].fallback.receiver", i), what);
    };
    if (!names.all.contains(way->second))
      complain(fmt::format("there is no receiver '{}'; there are: {}", way->second, fmt::join(names.all, ", ")));
    std::string at = way->second;
    for (std::size_t steps = 0; steps <= ways.size() && at != way->first && ways.contains(at); ++steps)
      at = ways.at(at);
    if (at == way->first) complain("leads back to the receiver itself: one of them must have no fallback");
  }
}

}  // namespace

const std::vector<config::KeyReference>& receiver_reference() { return schema().reference(); }

Configuration parse_settings(const config::AgentConfig& config, config::Errors& errors) {
  const std::vector<templates::Definitions> definitions = read_templates(config, errors);
  Configuration out;
  ReceiverNames names;
  std::map<std::string, std::size_t> places;
  std::map<std::string, std::string> ways;  // the fallback of each
  for (std::size_t i = 0; i < config.receivers.size(); ++i) {
    const config::Node& node = config.receivers[i];
    const std::string path = fmt::format("receivers[{}]", i);
    const std::size_t before = errors.size();
    ReceiverKeys receiver;
    std::vector<ReceiverSpec> specs =
        parse_receiver(node, path, config.root.find("global"), receiver, definitions, errors);
    if (!receiver.name.empty() && !places.emplace(receiver.name, i).second)
      errors.add(node.find("name").mark(), path + ".name",
                 fmt::format("there is a receiver '{}' already: receivers[{}]", receiver.name, places[receiver.name]));
    names.all.insert(receiver.name);
    if (receiver.fallback) ways[receiver.name] = receiver.fallback->receiver;
    if (errors.size() > before) {
      names.left_out.insert(receiver.name);
      continue;
    }
    if (specs.empty()) names.silent.insert(receiver.name);
    ++out.names;
    for (ReceiverSpec& spec : specs) out.receivers.push_back(std::move(spec));
  }
  check_fallbacks(config, names, ways, errors);
  out.routing = Routing::parse(config, std::move(names), errors);
  return out;
}

}  // namespace notify
