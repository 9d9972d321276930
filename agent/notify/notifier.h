// What a notifier type is: one file in types/ and one line in types.def.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "loop/handle.h"
#include "model/action_report.h"
#include "model/alert.h"
#include "model/incident.h"
#include "notify/sending.h"
#include "templates/message_template.h"

namespace config {
class Errors;
struct KeyReference;
class Node;
}  // namespace config

namespace http {
class HttpClient;
}  // namespace http

namespace loop {
class Scheduler;
}  // namespace loop

namespace net {
class Dialer;
}  // namespace net

namespace os {
class Spawner;
}  // namespace os

namespace notify {

struct Context {
  loop::Scheduler& scheduler;
  http::HttpClient& http;
  os::Spawner& spawner;
  net::Dialer& dialer;
};

// One message as it lies in the queue: made once, sent as often as needed, the bytes never change.
struct Message {
  std::string id;    // idempotency key: webhook-id
  std::string body;  // JSON
  base::WallTime created{};
};

// What became of an attempt.
enum class Fate {
  taken,      // the receiver has it
  refused,    // it said no, a 4xx: it has not got it, and a person has to mend it
  unreached,  // it never saw it: there was no connection
  unknown,    // it may have it: no whole answer, or a 5xx
};

// What a failure may be about: a receiver that is not well, or this one message, which it would never take.
enum class Blame { receiver, message };

struct Sent {
  Fate fate = Fate::unknown;
  Blame blame = Blame::receiver;
  int status = 0;    // HTTP
  std::string text;  // for log and page
  base::Millis retry_after{0};
};

// A configured receiver. Const; a send is the Handle.
class Notifier {
 public:
  virtual ~Notifier() = default;
  virtual std::string type() const = 0;
  // Where messages go, as logs and metrics name it: without credentials, no two alike. Each target is told on its own;
  // a receiver that is sent messages (resend() is 0) has one.
  virtual std::vector<std::string> targets() const = 0;
  // The body for this batch; recoveries are those of the alerts' services that belong to it.
  virtual std::string render(const std::vector<model::Alert>& alerts,
                             const std::vector<model::RecoveryReport>& recoveries,
                             const struct Envelope& envelope) const = 0;
  // `target` is a place in targets(). `done` comes once, in a later turn.
  virtual loop::Handle send(const Context& context, std::size_t target, const Message& message, base::Instant deadline,
                            std::function<void(Sent)> done) const = 0;
  // Firing alerts are sent again after this time (Alertmanager wants it), each target on its own and alerts of many
  // groups together; 0: changes are sent, as messages with an id.
  virtual base::Millis resend() const { return base::Millis{0}; }
  // Whether render() shows recoveries: the end of one is then a reason to send.
  virtual bool tells_recoveries() const { return false; }
};

struct Envelope {
  std::string receiver, node, external_url, group_key;
  model::Labels external_labels;
  model::Labels group_labels;
  base::WallTime at{};
  base::Millis resend{0};
  const model::Incident* incident = nullptr;  // that the message is about; null: about alerts
  std::string_view news;                      // page, update, resolved or note
};

// A key of Alertmanager's `global` that stands for one of an integration which does not have it, nor `beside`.
struct GlobalDefault {
  std::string_view global, key, beside = "";
};

struct NotifierType {
  std::string_view name;  // webhook: the key in a receiver is webhook_configs
  std::string_view summary;
  std::string_view example;
  // `definitions`: the templates of the configuration's files, for texts.
  std::unique_ptr<const Notifier> (*parse)(const config::Node& node, const std::string& path,
                                           const std::vector<templates::Definitions>& definitions,
                                           config::Errors& errors);
  const std::vector<config::KeyReference>& (*reference)();
  EndTold end = EndTold::by_default;
  std::span<const GlobalDefault> defaults = {};  // beside http_config
};

}  // namespace notify
