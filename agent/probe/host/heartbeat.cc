// The service says by itself that it lives, every so often; silence is the failure, and so is a beat that says "fail".
#include <pwd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/number.h"
#include "loop/scheduler.h"
#include "probe/common/probe_schema.h"
#include "probe/heartbeats.h"
#include "probe/registry.h"

namespace probe {
namespace {

using model::Outcome;
using model::Reason;

struct HeartbeatSettings {
  std::string from;
  std::string user;
  BeatSenders senders{};  // follows from `user` and the service's unit
  base::Millis every{0};
  base::Millis grace{1000};

  base::Duration allowed() const { return every + grace; }
};

const config::Schema<HeartbeatSettings>& schema() {
  static const auto schema =
      probe_schema<HeartbeatSettings>("heartbeat")
          .required("every", &HeartbeatSettings::every, "How often the service says that it lives.")
          .optional("grace", &HeartbeatSettings::grace, "How late a beat may be.")
          .optional("from", &HeartbeatSettings::from, "Name that the beats carry. Default: the service's name.")
          .reach(config::Reach::listed)
          .optional(
              "user", &HeartbeatSettings::user,
              "User whose datagrams count, by name or number; root's always do. Empty: those of the processes and "
              "users of the service's unit, or without a unit of everybody who may write to the socket.")
          .check([](const HeartbeatSettings& heartbeat, const config::Complain& complain) {
            if (heartbeat.every < base::Millis{10}) complain("every", "must be at least 10ms");
          });
  return schema;
}

std::string in_words(base::Duration d) { return base::format_duration(std::chrono::round<base::Millis>(d)); }

Outcome judge(const HeartbeatSettings& settings, Heartbeats& heartbeats, base::Instant now) {
  const std::optional<Beat> beat = heartbeats.last(settings.from);
  if (!heartbeats.trouble().empty() && (!beat || now - beat->at > settings.allowed()))
    return Outcome::failure(Reason::agent_overloaded, "heartbeats are not received: " + heartbeats.trouble());
  const std::string promised = "one every " + base::format_duration(settings.every) +
                               " was promised, with a grace of " + base::format_duration(settings.grace);
  const base::Duration waited = now - heartbeats.silent_since(settings.from, settings.allowed());
  if (!beat) {
    // Just started: unknown is not down.
    if (waited <= settings.allowed())
      return Outcome::failure(Reason::agent_overloaded,
                              "no heartbeat yet; the agent has been listening for " + in_words(waited));
    return Outcome::failure(Reason::heartbeat_missed, "no heartbeat ever; " + promised);
  }
  const base::Duration age = now - beat->at;
  if (age > settings.allowed() && waited <= settings.allowed())
    return Outcome::failure(Reason::agent_overloaded,
                            "last heartbeat " + in_words(age) +
                                " ago, but the agent itself stood still meanwhile; it has been listening for " +
                                in_words(waited));
  Outcome outcome;
  if (age > settings.allowed())
    outcome = Outcome::failure(Reason::heartbeat_missed, "last heartbeat " + in_words(age) + " ago; " + promised);
  else if (beat->failed)
    outcome = Outcome::failure(Reason::status_mismatch,
                               "the service says that it is not well" + (beat->text.empty() ? "" : ": " + beat->text));
  else
    outcome = Outcome::success("heartbeat " + in_words(age) + " ago" + (beat->text.empty() ? "" : ": " + beat->text));
  outcome.measurements.push_back({"probe_heartbeat_age_seconds", base::seconds(age), {}});
  outcome.measurements.push_back({"probe_heartbeat_timestamp_seconds", base::seconds(beat->wall), {}});
  return outcome;
}

class HeartbeatProbe final : public Probe {
 public:
  HeartbeatProbe(const Context& context, const HeartbeatSettings& settings) : context_(context), settings_(settings) {}

  void start(base::Instant, Done done) override {
    done_ = std::move(done);
    looking_ = context_.scheduler.after(
        {}, [this] { std::exchange(done_, nullptr)(judge(settings_, context_.heartbeats, context_.scheduler.now())); });
  }

 private:
  const Context& context_;
  const HeartbeatSettings& settings_;
  Done done_;
  loop::Handle looking_;
};

// Speaks when the verdict changes: a beat after silence, a beat that says otherwise than the one before, and the moment
// in which a beat is missing. A beat as expected is no event.
class HeartbeatEvents final : public EventSource {
 public:
  HeartbeatEvents(const Context& context, const HeartbeatSettings& settings, OnEvent on_event)
      : context_(context), settings_(settings), on_event_(std::move(on_event)) {
    restricted_ = context_.heartbeats.restrict(settings_.from, settings_.senders);
    watching_ = context_.heartbeats.watch(settings_.from, [this](const Beat& beat) { on_beat(beat); });
    const std::optional<Beat> last = context_.heartbeats.last(settings_.from);
    if (last) well_ = !last->failed;
    arm(context_.heartbeats.silent_since(settings_.from, settings_.allowed()));
  }

  void describe(model::Outcome& outcome) const override {
    outcome.measurements.push_back({"probe_event_source_active", 1, {{"source", "heartbeat"}}});
  }

 private:
  void on_beat(const Beat& beat) {
    const bool news = well_ != !beat.failed;
    well_ = !beat.failed;
    arm(beat.at);
    if (news) on_event_({"heartbeat", beat.failed ? "a beat that says fail" : "a beat", beat.at});
  }
  void arm(base::Instant beat) {
    missing_ = context_.scheduler.at(beat + settings_.allowed() + base::Millis{1}, [this] {
      const base::Instant since = context_.heartbeats.silent_since(settings_.from, settings_.allowed());
      if (context_.scheduler.now() - since <= settings_.allowed()) return arm(since);
      well_.reset();
      on_event_({"heartbeat", "no beat within " + in_words(settings_.allowed()), context_.scheduler.now()});
    });
  }

  const Context& context_;
  const HeartbeatSettings& settings_;
  OnEvent on_event_;
  std::optional<bool> well_;  // nothing: silent
  loop::Handle restricted_;
  loop::Handle watching_;
  loop::Handle missing_;
};

class Heartbeat final : public Settings {
 public:
  explicit Heartbeat(HeartbeatSettings settings) : settings_(std::move(settings)) {}
  std::unique_ptr<Probe> make(const Context& context) const override {
    return std::make_unique<HeartbeatProbe>(context, settings_);
  }
  std::unique_ptr<EventSource> watch(const Context& context, OnEvent on_event) const override {
    return std::make_unique<HeartbeatEvents>(context, settings_, std::move(on_event));
  }
  std::string target() const override { return "heartbeats of " + settings_.from; }

 private:
  HeartbeatSettings settings_;
};

std::optional<uid_t> user_named(const std::string& name) {
  if (const auto number = base::read_number<uid_t>(name)) return number;
  std::array<char, 16384> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
    return std::nullopt;
  return found->pw_uid;
}

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner& owner,
                                      config::Errors& errors) {
  HeartbeatSettings settings = schema().parse(node, path, errors);
  if (settings.from.empty()) settings.from = owner.service;
  settings.senders.unit = owner.unit;
  if (!settings.user.empty()) {
    settings.senders.user = user_named(settings.user);
    if (!settings.senders.user)
      errors.add(node.find("user").mark(), path + ".user", "there is no user '" + settings.user + "' on this node");
  }
  return std::make_unique<Heartbeat>(std::move(settings));
}

}  // namespace

const Type heartbeat_type{
    .name = "heartbeat",
    .summary = "Expects the service to say that it lives: a unix datagram, or a POST with a token.",
    .example = R"(name: heartbeat
type: heartbeat
every: 1s
grace: 500ms
interval: 1s
timeout: 500ms
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {"probe_heartbeat_age_seconds", "probe_heartbeat_timestamp_seconds"},
    .keys_of_target = [](std::string_view target) -> std::vector<std::pair<std::string, std::string>> {
      return {{"from", std::string(target)}};
    },
    .other_measurements = std::vector<std::string_view>{"probe_event_source_active"},
};

}  // namespace probe
