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
#include "encoding/json.h"
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

struct Answer {
  std::string type, target;
  bool taken = false;
  std::string text;
};

bool all_taken(const std::vector<Answer>& answers) {
  return std::all_of(answers.begin(), answers.end(), [](const Answer& each) { return each.taken; });
}

// The messages that are on their way.
class Trial {
 public:
  Trial(loop::EventLoop& loop, notify::Context context, const config::Global& global, base::OutputForm form)
      : loop_(loop), context_(context), global_(global), form_(form) {}

  void send(const notify::ReceiverSpec& spec) {
    const base::WallTime now = loop_.wall_now();
    const std::string body = spec.notifier->render({test_alert(spec.name, now)}, {}, test_envelope(global_, spec, now));
    const notify::Message message{"msg_" + random_.identifier(), body, now};
    const std::vector<std::string> targets = spec.notifier->targets();
    for (std::size_t i = 0; i < targets.size(); ++i) {
      ++open_;
      sending_.push_back(
          spec.notifier->send(context_, i, message, loop_.now() + spec.timeout,
                              [this, type = spec.notifier->type(), target = targets[i]](const notify::Sent& sent) {
                                answered({type, target, sent.fate == notify::Fate::taken, sent.text});
                              }));
    }
  }

  // What became of them, in the order of the answers.
  const std::vector<Answer>& run() {
    if (open_ > 0) loop_.run();
    return answers_;
  }

 private:
  void answered(Answer answer) {
    if (form_ == base::OutputForm::text)
      base::print(stdout, "{} {}: {}: {}\n", answer.type, answer.target, answer.taken ? "taken" : "not taken",
                  answer.text);
    answers_.push_back(std::move(answer));
    if (--open_ == 0) loop_.stop();
  }

  loop::EventLoop& loop_;
  notify::Context context_;
  const config::Global& global_;
  base::OutputForm form_;
  base::Random random_ = base::Random::from_entropy();
  std::vector<loop::Handle> sending_;
  std::size_t open_ = 0;
  std::vector<Answer> answers_;
};

int print_json(const std::string& receiver, const std::vector<std::string>& mistakes,
               const std::vector<Answer>& answers) {
  const bool good = mistakes.empty() && all_taken(answers);
  encoding::Json json;
  json.object([&] {
    json.key("receiver").string(receiver);
    json.key("ok").boolean(good);
    json.key("mistakes").array([&] {
      for (const std::string& mistake : mistakes) json.string(mistake);
    });
    json.key("messages").array([&] {
      for (const Answer& answer : answers)
        json.object([&] {
          json.key("integration").string(answer.type);
          json.key("target").string(answer.target);
          json.key("taken").boolean(answer.taken);
          json.key("text").string(answer.text);
        });
    });
  });
  base::print(stdout, "{}\n", json.text());
  return good ? 0 : 1;
}

std::string names_of(const config::AgentConfig& config) {
  std::string out;
  for (const config::Node& each : config.receivers) out += (out.empty() ? "" : ", ") + each.find("name").scalar();
  return out;
}

}  // namespace

int notify_test(const std::string& config_file, const std::string& receiver, base::OutputForm form) {
  const bool as_json = form == base::OutputForm::json;
  base::log::configure(base::log::Level::error, base::log::Format::logfmt);
  config::Errors errors;
  const LoadedConfig loaded = load(config_file, errors);
  if (!errors.empty()) {
    if (as_json) return print_json(receiver, errors.lines(), {});
    base::print(stderr, "{}", errors.text());
    return 1;
  }
  const auto& nodes = loaded.config.receivers;
  if (std::none_of(nodes.begin(), nodes.end(),
                   [&](const config::Node& each) { return each.find("name").scalar() == receiver; })) {
    const std::string mistake =
        fmt::format("there is no receiver {} in {}; there are: {}", receiver, config_file, names_of(loaded.config));
    if (as_json) return print_json(receiver, {mistake}, {});
    base::print(stderr, "fettle notify test: {}\n", mistake);
    return 1;
  }
  loop::EventLoop loop;
  net::AresResolver resolver(loop);
  http::CurlHttpClient http(loop, resolver);
  os::Subprocesses spawner(loop);
  net::StreamDialer dialer(loop, resolver);
  Trial trial(loop, notify::Context{loop, http, spawner, dialer}, loaded.config.global, form);
  std::size_t ways = 0;
  for (const notify::ReceiverSpec& spec : loaded.notifications.receivers) {
    if (spec.name != receiver) continue;
    ++ways;
    trial.send(spec);
  }
  const std::vector<Answer>& answers = trial.run();
  if (as_json) return print_json(receiver, {}, answers);
  if (ways == 0) base::print(stdout, "{} has no integration: what goes there is not told to anyone\n", receiver);
  return all_taken(answers) ? 0 : 1;
}

}  // namespace app
