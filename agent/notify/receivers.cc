// The `receivers` of the configuration.
#include <fmt/format.h>

#include <map>

#include "base/edit_distance.h"
#include "config/schema.h"
#include "notify/notifications.h"
#include "notify/registry.h"

namespace notify {
namespace {

struct Settings {
  std::string name;
  std::map<std::string, std::string> match;
  base::Millis group_wait{0};
  base::Millis timeout{10'000};
  bool send_resolved = true;
  std::vector<std::pair<std::string, std::unique_ptr<const Notifier>>> notifiers;
};

config::Schema<Settings> make_schema() {
  config::Schema<Settings> s("receiver");
  s.required("name", &Settings::name, "Its name: in metrics, logs and messages.")
      .optional("match", &Settings::match, "Labels that an alert must have to go here; none: every alert.")
      .optional("group_wait", &Settings::group_wait,
                "Collect alerts of one name and service for so long before the first message.")
      .optional("timeout", &Settings::timeout, "Of one attempt to send.")
      .optional("send_resolved", &Settings::send_resolved, "Tell also that an alert resolved.");
  for (const NotifierType* type : notifier_types())
    s.custom(type->name.data(), type->summary.data(), "none",
             [type](const config::Node& node, Settings& settings, const std::string& path, config::Errors& errors) {
               settings.notifiers.emplace_back(type->name, type->parse(node, path, errors));
             });
  s.check([](const Settings& settings, const config::Complain& complain) {
    if (settings.name.empty()) complain("name", "must not be empty");
    if (settings.timeout <= base::Millis{0}) complain("timeout", "must be longer than 0s");
    std::string known;
    for (const NotifierType* type : notifier_types())
      known += fmt::format("{}{}", known.empty() ? "" : " or ", type->name);
    if (settings.notifiers.empty()) complain("", "the receiver sends nowhere; it needs " + known);
    if (settings.notifiers.size() > 1) complain("", "the receiver has two ways to send; make two receivers of it");
  });
  return s;
}

}  // namespace

std::vector<ReceiverSpec> parse_receivers(const std::vector<config::Node>& nodes, config::Errors& errors) {
  static const config::Schema<Settings> schema = make_schema();
  std::vector<ReceiverSpec> out;
  std::map<std::string, std::size_t> names;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const std::string path = fmt::format("receivers[{}]", i);
    const std::size_t before = errors.size();
    Settings settings = schema.parse(nodes[i], path, errors);
    if (!settings.name.empty() && !names.emplace(settings.name, i).second)
      errors.add(nodes[i].find("name").mark(), path + ".name",
                 fmt::format("there is a receiver '{}' already: receivers[{}]", settings.name, names[settings.name]));
    if (errors.size() > before) continue;
    ReceiverSpec spec;
    spec.name = settings.name;
    spec.match.assign(settings.match.begin(), settings.match.end());
    spec.group_wait = settings.group_wait;
    spec.timeout = settings.timeout;
    spec.send_resolved = settings.send_resolved;
    spec.notifier = std::move(settings.notifiers.front().second);
    out.push_back(std::move(spec));
  }
  return out;
}

}  // namespace notify
