// What all changes by the API server of Kubernetes have in common: requests, when one is made again, and how a refusal
// is told. Of recover/ only. Loop thread.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "encoding/json_value.h"
#include "http/json_api.h"
#include "loop/handle.h"
#include "recover/action.h"

namespace recover {

inline constexpr const char* kMergePatch = "application/merge-patch+json";

class KubernetesRun : public loop::Registration {
 protected:
  using Answered = std::function<void(const http::HttpResponse&)>;
  struct Call {
    const char* method = "GET";
    std::string path{};
    std::string body{};
    const char* content_type = "application/json";
  };

  KubernetesRun(const Context& context, const http::JsonApi& api, const Trigger& trigger, std::string what,
                base::Instant deadline, std::function<void(ActionResult)> done);

  // `then` gets what the server answers to it; a GET that has no good answer for now (no connection, 429, 5xx) and a
  // token that is just being replaced (401, a few times) are asked again until the deadline. A change that people do
  // not want any more is not made: that is the end.
  void ask(Call call, Answered then);
  // The object of a GET. What is not there is `gone`; without one that is a failure, as all else is.
  void read(const std::string& path, std::function<void(const encoding::json&)> then, std::function<void()> gone = {});
  // Whether that is so; then the end is told in a later turn, with what is left.
  bool is_stopped(const std::string& left);
  // False if there is no time for it.
  bool later(base::Duration wait, std::function<void()> then);
  // For a change that was made too late (409), or whose answer did not come: reads again by `then`, a few times. False:
  // it is no such answer, or enough were made.
  bool again(const http::HttpResponse& response, const std::function<void()>& then);

  // As the server refused it; nothing for the reader is left to guess.
  void broken(const Call& call, const http::HttpResponse& response);
  // After a change first an event of `about_` is written, where a role allows it. Destroys this object, as a rule.
  void end(ActionStatus status, const std::string& text, bool own_want = false);
  // What stands in front of each failure's text: what was done before.
  std::string before_failure_;
  bool changed_ = false;  // something was changed
  // What is worked on, as the involvedObject of an event: of kind, name, uid, and namespace but for a node.
  encoding::json about_;

  const Context& context_;
  const http::JsonApi& api_;
  std::string service_;  // whose plan it is

 private:
  void answered(const Call& call, const Answered& then, const http::HttpResponse& response);
  void write_event(ActionResult result);

  std::string recovery_, node_;  // of the trigger
  std::string what_;
  std::function<std::optional<std::string>()> stopped_;
  base::Instant deadline_;
  std::function<void(ActionResult)> done_;
  int refused_tokens_ = 0, tries_ = 0;
  loop::Handle pending_;
};

// How long the server asks to wait: Retry-After, or details.retryAfterSeconds; else `otherwise`. At most 30 s.
base::Duration asked_to_wait(const http::HttpResponse& response, base::Duration otherwise);

}  // namespace recover
