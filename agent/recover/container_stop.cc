#include "recover/container_stop.h"

#include <fmt/format.h>

#include <sstream>
#include <utility>

#include "encoding/json_value.h"
#include "loop/scheduler.h"

namespace recover {
namespace {

using encoding::json;
using encoding::member;
using encoding::text_of;

class StopQuestion final : public loop::Registration {
 public:
  StopQuestion(const Context& context, const http::JsonApi& engine, const std::string& container,
               std::optional<base::WallTime> acted, base::Instant deadline, std::function<void(std::string)> done)
      : context_(context),
        engine_(engine),
        container_(container),
        acted_(acted),
        deadline_(deadline),
        done_(std::move(done)) {
    ask("/containers/" + container_ + "/json", [this](const std::string& body) { inspected(body); });
  }

 private:
  void ask(const std::string& path, std::function<void(const std::string&)> then) {
    request_ =
        engine_.ask(*context_.http, context_.scheduler, {.path = path, .deadline = deadline_},
                    [this, then = std::move(then)](const http::HttpResponse& response) {
                      const loop::Handle own = std::move(request_);
                      then(response.reason == model::Reason::none && response.status == 200 ? response.body : "");
                    });
  }

  void inspected(const std::string& body) {
    const json document = encoding::read_json(body);
    const json& state = member(document, "State");
    const std::string status = text_of(member(state, "Status"));
    if (status == "paused")
      return done_(
          fmt::format("container {0} is paused, not by fettle; to have it go on: docker unpause {0}", container_));
    if (status != "exited") return done_("");
    // Times of RFC 3339 to the second, as texts: both are UTC.
    const std::string started = text_of(member(state, "StartedAt")).substr(0, 19);
    if (acted_ && started <= base::format_iso8601(*acted_).substr(0, 19)) return done_("");
    const json& code = member(state, "ExitCode");
    const int exit_code = code.is_number_integer() ? code.get<int>() : -1;
    const std::string policy = text_of(member(member(member(document, "HostConfig"), "RestartPolicy"), "Name"));
    constexpr int kEndedBySigterm = 128 + 15;
    if (exit_code == 0 || exit_code == kEndedBySigterm || policy == "always" || policy == "unless-stopped")
      return done_(stopped());
    const std::int64_t now = base::to_ms(context_.scheduler.wall_now()) / 1000;
    // {"container":["NAME"],"event":["stop"]}
    ask(fmt::format(
            "/events?since={}&until={}&filters=%7B%22container%22%3A%5B%22{}%22%5D%2C%22event%22%3A%5B%22stop%22"
            "%5D%7D",
            now - kHistory, now, container_),
        [this, finished = text_of(member(state, "FinishedAt")).substr(0, 19)](const std::string& events) {
          done_(tells_of_stop(events, finished) ? stopped() : "");
        });
  }

  // A line each; only of this container, and not of an earlier run of it.
  static bool tells_of_stop(const std::string& events, const std::string& finished) {
    std::istringstream lines(events);
    for (std::string line; std::getline(lines, line);) {
      const json event = encoding::read_json(line);
      const json& time = member(event, "time");
      if (text_of(member(event, "Action")) != "stop" || !time.is_number_integer()) continue;
      const base::WallTime at = base::wall_from_ms(1000 * (time.get<std::int64_t>() + 1));
      if (base::format_iso8601(at).substr(0, 19) >= finished) return true;
    }
    return false;
  }

  std::string stopped() const {
    return fmt::format("container {0} was stopped, not by fettle; to have it back: docker start {0}", container_);
  }

  static constexpr std::int64_t kHistory = 24 * 3600;  // seconds

  const Context& context_;
  const http::JsonApi& engine_;
  const std::string& container_;
  std::optional<base::WallTime> acted_;
  base::Instant deadline_;
  std::function<void(std::string)> done_;
  loop::Handle request_;
};

}  // namespace

loop::Handle ask_container_stopped(const Context& context, const http::JsonApi& engine, const std::string& container,
                                   std::optional<base::WallTime> acted, base::Instant deadline,
                                   std::function<void(std::string)> done) {
  return loop::Handle(std::make_unique<StopQuestion>(context, engine, container, acted, deadline, std::move(done)));
}

}  // namespace recover
