#include "app/notify_test.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <vector>

#include "app/loaded_config.h"
#include "base/log.h"
#include "base/random.h"
#include "base/terminal.h"
#include "http/http_client.h"
#include "loop/event_loop.h"
#include "model/agent_defaults.h"
#include "net/resolver.h"
#include "net/stream.h"
#include "notify/notifications.h"
#include "os/subprocess.h"

namespace app {
namespace {

model::Alert test_alert(const std::string& receiver, base::WallTime now) {
  model::Alert alert;
  alert.labels = model::Labels{{"alertname", "FettleTest"}, {"severity", "info"}};
  alert.annotations = model::Labels{{"summary", fmt::format("A test of the receiver {}: nothing is wrong.", receiver)}};
  alert.state = model::AlertState::firing;
  alert.value = 1;
  alert.active_at = now;
  alert.fired_at = now;
  return alert;
}

notify::Envelope test_envelope(const config::Global& global, const notify::ReceiverSpec& spec, base::WallTime now) {
  notify::Envelope envelope;
  envelope.receiver = spec.name;
  envelope.node = global.node;
  envelope.external_url = fmt::format("http://{}{}", global.node, model::kListenAddress);
  envelope.external_labels = global.external_labels;
  envelope.group_labels = model::Labels{{"alertname", "FettleTest"}};
  envelope.group_key = "{}:" + envelope.group_labels.to_string();
  envelope.at = now;
  envelope.resend = spec.notifier->resend();
  return envelope;
}

// The messages that are on their way.
class Trial {
 public:
  Trial(loop::EventLoop& loop, notify::Context context, const config::Global& global)
      : loop_(loop), context_(context), global_(global) {}

  void send(const notify::ReceiverSpec& spec) {
    const base::WallTime now = loop_.wall_now();
    const std::string body = spec.notifier->render({test_alert(spec.name, now)}, {}, test_envelope(global_, spec, now));
    const notify::Message message{"msg_" + random_.identifier(), body, now};
    const std::vector<std::string> targets = spec.notifier->targets();
    for (std::size_t i = 0; i < targets.size(); ++i) {
      ++open_;
      sending_.push_back(spec.notifier->send(
          context_, i, message, loop_.now() + spec.timeout,
          [this, what = spec.notifier->type() + " " + targets[i]](const notify::Sent& sent) { answered(what, sent); }));
    }
  }

  bool run() {
    if (open_ > 0) loop_.run();
    return all_taken_;
  }

 private:
  void answered(const std::string& what, const notify::Sent& sent) {
    const bool taken = sent.fate == notify::Fate::taken;
    base::print(stdout, "{}: {}: {}\n", what, taken ? "taken" : "not taken", sent.text);
    all_taken_ = all_taken_ && taken;
    if (--open_ == 0) loop_.stop();
  }

  loop::EventLoop& loop_;
  notify::Context context_;
  const config::Global& global_;
  base::Random random_ = base::Random::from_entropy();
  std::vector<loop::Handle> sending_;
  std::size_t open_ = 0;
  bool all_taken_ = true;
};

std::string names_of(const config::AgentConfig& config) {
  std::string out;
  for (const config::Node& each : config.receivers) out += (out.empty() ? "" : ", ") + each.find("name").scalar();
  return out;
}

}  // namespace

int notify_test(const std::string& config_file, const std::string& receiver) {
  base::log::configure(base::log::Level::error, base::log::Format::logfmt);
  config::Errors errors;
  const LoadedConfig loaded = load(config_file, errors);
  if (!errors.empty()) {
    base::print(stderr, "{}", errors.text());
    return 1;
  }
  const auto& nodes = loaded.config.receivers;
  if (std::none_of(nodes.begin(), nodes.end(),
                   [&](const config::Node& each) { return each.find("name").scalar() == receiver; })) {
    base::print(stderr, "fettle notify test: there is no receiver {} in {}; there are: {}\n", receiver, config_file,
                names_of(loaded.config));
    return 1;
  }
  loop::EventLoop loop;
  net::AresResolver resolver(loop);
  http::CurlHttpClient http(loop, resolver);
  os::Subprocesses spawner(loop);
  net::StreamDialer dialer(loop, resolver);
  Trial trial(loop, notify::Context{loop, http, spawner, dialer}, loaded.config.global);
  std::size_t ways = 0;
  for (const notify::ReceiverSpec& spec : loaded.notifications.receivers) {
    if (spec.name != receiver) continue;
    ++ways;
    trial.send(spec);
  }
  if (ways == 0) base::print(stdout, "{} has no integration: what goes there is not told to anyone\n", receiver);
  return trial.run() ? 0 : 1;
}

}  // namespace app
