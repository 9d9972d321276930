// The `receivers` of the configuration.
#include <fmt/format.h>

#include <map>

#include "base/edit_distance.h"
#include "config/redact.h"
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
  std::optional<Tell> tell;
  std::vector<std::pair<std::string, std::unique_ptr<const Notifier>>> notifiers;
};

// A receiver whose answers are told without what it was told: it may repeat headers, and errors name URLs.
class Discreet final : public Notifier {
 public:
  Discreet(std::unique_ptr<const Notifier> inner, base::KnownSecrets secrets)
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

config::Schema<Settings> make_schema() {
  config::Schema<Settings> s("receiver");
  s.required("name", &Settings::name, "Its name: in metrics, logs and messages.")
      .optional("match", &Settings::match, "Labels that an alert must have to go here; none: every alert.")
      .optional("group_wait", &Settings::group_wait,
                "Collect alerts of one name and service for so long before the first message.")
      .optional("timeout", &Settings::timeout, "Of one attempt to send.")
      .optional("send_resolved", &Settings::send_resolved, "Tell also that an alert resolved.")
      .custom("tell",
              "unhealed: of a service's fault once it is clear that recovery does not mend it, one page with what was "
              "tried, and its end. healed: a note of each fault that was over before anybody was paged. all: every "
              "alert at once, as it comes. An Alertmanager is always told all.",
              "unhealed; all for an Alertmanager",
              [](const config::Node& node, Settings& settings, const std::string& path, config::Errors& errors) {
                std::size_t index = 0;
                std::string why;
                if (config::read_one_of(node, {"unhealed", "healed", "all"}, index, why))
                  settings.tell = static_cast<Tell>(index);
                else errors.add(node.mark(), path, why);
              });
  for (const NotifierType* type : notifier_types())
    s.custom(type->name.data(), type->summary.data(), "none",
             [type](const config::Node& node, Settings& settings, const std::string& path, config::Errors& errors) {
               settings.notifiers.emplace_back(type->name, type->parse(node, path, errors));
             });
  s.check([](const Settings& settings, const config::Complain& complain) {
    if (settings.name.empty()) complain("name", "must not be empty");
    if (settings.timeout <= base::Millis{0}) complain("timeout", "must be longer than 0s");
    if (settings.notifiers.empty())
      complain("", "the receiver sends nowhere; it needs " + notifier_types().list(" or "));
    if (settings.notifiers.size() > 1) complain("", "the receiver has two ways to send; make two receivers of it");
    if (settings.notifiers.size() == 1 && settings.notifiers.front().first == "alertmanager" &&
        settings.tell.value_or(Tell::all) != Tell::all)
      complain("tell", "must be all, or left out: alerts are never held from an Alertmanager");
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
    const bool messages = settings.notifiers.front().second->resend().count() == 0;
    spec.tell = messages ? settings.tell.value_or(Tell::unhealed) : Tell::all;
    spec.notifier =
        std::make_unique<Discreet>(std::move(settings.notifiers.front().second), config::secrets_of(nodes[i]));
    out.push_back(std::move(spec));
  }
  return out;
}

}  // namespace notify
