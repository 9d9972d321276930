// Restarts a container through the Docker Engine API on a unix socket. Whoever may use the engine's own socket is root
// on the node; so a proxy that lets nothing through but POST /containers/NAME/restart, and GET of /containers/NAME/json
// and /events for the guard of what people have stopped, is the socket to name here. Paths carry no version: the engine
// then speaks its newest, and proxies filter the same words.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "base/text.h"
#include "config/schema.h"
#include "http/http_client.h"
#include "loop/scheduler.h"
#include "recover/action.h"

namespace recover {
namespace {

struct Settings {
  std::string verb;
  std::string container;
  std::string socket = "/run/docker.sock";
  base::Millis stop_timeout{10'000};
};

const auto& schema() {
  static const auto s =
      config::Schema<Settings>("docker")
          .required("verb", &Settings::verb, "restart.")
          .optional("container", &Settings::container, "Name or id of the container; empty: the service's name.")
          .optional("socket", &Settings::socket,
                    "Unix socket of the engine, or better of a proxy that lets only POST /containers/NAME/restart "
                    "through, and "
                    "GET /containers/NAME/json and /events, by which a container that a person stopped is left alone.")
          .optional("stop_timeout", &Settings::stop_timeout,
                    "What the container's stop signal gets, in whole seconds, before the engine kills it.")
          .check([](const Settings& s2, const config::Complain& complain) {
            if (s2.socket.empty() || s2.socket.front() != '/') complain("socket", "must be an absolute path");
            if (s2.stop_timeout < base::Millis{0}) complain("stop_timeout", "must not be negative");
          });
  return s;
}

// Names as the engine takes them; none of their characters means anything in a path.
bool is_container(std::string_view name) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  return name.size() >= 2 && name.size() <= 255 && kLetters.find(name.front()) != std::string_view::npos &&
         name.find_first_not_of(std::string(kLetters) + "_.-") == std::string_view::npos;
}

// {"message": "…"}, or what a proxy says in its place.
std::string message_of(const std::string& body) {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (json.is_object() && json.contains("message") && json["message"].is_string()) return json["message"];
  return base::first_line(body, 200);
}

// Asks the engine whether people have stopped the container. It does not keep who asked for a stop; but a container
// that is to be restarted always and is not, that ended cleanly, that ended by SIGTERM, or of which the engine's events
// tell a stop, was stopped. What it will not tell is not known.
class StopQuestion final : public loop::Registration {
 public:
  StopQuestion(const Context& context, const Settings& settings, std::optional<base::WallTime> acted,
               base::Instant deadline, std::function<void(std::string)> done)
      : context_(context), settings_(settings), acted_(acted), deadline_(deadline), done_(std::move(done)) {
    ask("/containers/" + settings_.container + "/json", [this](const std::string& body) { inspected(body); });
  }

 private:
  void ask(const std::string& path, std::function<void(const std::string&)> then) {
    http::HttpRequest request;
    request.url = "http://docker" + path;
    request.unix_socket = settings_.socket;
    request.deadline = deadline_;
    request.max_redirects = 0;
    request_ = context_.http->request(std::move(request), [this, then](const http::HttpResponse& response) {
      const loop::Handle own = std::move(request_);
      then(response.reason == model::Reason::none && response.status == 200 ? response.body : "");
    });
  }

  void inspected(const std::string& body) {
    const auto json = nlohmann::json::parse(body, nullptr, false);
    const auto text_at = [&](const char* path) {
      const nlohmann::json::json_pointer at(path);
      return json.is_object() && json.contains(at) && json[at].is_string() ? json[at].get<std::string>()
                                                                           : std::string();
    };
    const std::string status = text_at("/State/Status");
    if (status == "paused")
      return done_(fmt::format("container {0} is paused, not by fettle; to have it go on: docker unpause {0}",
                               settings_.container));
    if (status != "exited") return done_("");
    // Times of RFC 3339 to the second, as texts: both are UTC.
    const std::string started = text_at("/State/StartedAt").substr(0, 19);
    if (acted_ && started <= base::format_iso8601(*acted_).substr(0, 19)) return done_("");
    const nlohmann::json::json_pointer code("/State/ExitCode");
    const int exit_code = json.contains(code) && json[code].is_number_integer() ? json[code].get<int>() : -1;
    const std::string policy = text_at("/HostConfig/RestartPolicy/Name");
    constexpr int kEndedBySigterm = 128 + 15;
    if (exit_code == 0 || exit_code == kEndedBySigterm || policy == "always" || policy == "unless-stopped")
      return done_(stopped());
    const std::int64_t now = base::to_ms(context_.scheduler.wall_now()) / 1000;
    // {"container":["NAME"],"event":["stop"]}
    ask(fmt::format(
            "/events?since={}&until={}&filters=%7B%22container%22%3A%5B%22{}%22%5D%2C%22event%22%3A%5B%22stop%22"
            "%5D%7D",
            now - kHistory, now, settings_.container),
        [this, finished = text_at("/State/FinishedAt").substr(0, 19)](const std::string& events) {
          done_(tells_of_stop(events, finished) ? stopped() : "");
        });
  }

  // A line each; only of this container, and not of an earlier run of it.
  static bool tells_of_stop(const std::string& events, const std::string& finished) {
    std::istringstream lines(events);
    for (std::string line; std::getline(lines, line);) {
      const auto event = nlohmann::json::parse(line, nullptr, false);
      if (!event.is_object() || !event.contains("Action") || event["Action"] != "stop") continue;
      if (!event.contains("time") || !event["time"].is_number_integer()) continue;
      const base::WallTime at = base::wall_from_ms(1000 * (event["time"].get<std::int64_t>() + 1));
      if (base::format_iso8601(at).substr(0, 19) >= finished) return true;
    }
    return false;
  }

  std::string stopped() const {
    return fmt::format("container {0} was stopped, not by fettle; to have it back: docker start {0}",
                       settings_.container);
  }

  static constexpr std::int64_t kHistory = 24 * 3600;  // seconds

  const Context& context_;
  const Settings& settings_;
  std::optional<base::WallTime> acted_;
  base::Instant deadline_;
  std::function<void(std::string)> done_;
  loop::Handle request_;
};

class Docker final : public Action {
 public:
  explicit Docker(Settings settings) : settings_(std::move(settings)) {}
  loop::Handle run(const Context& context, const Trigger&, base::Instant deadline,
                   std::function<void(ActionResult)> done) const override {
    http::HttpRequest request;
    request.method = "POST";
    request.url = fmt::format("http://docker/containers/{}/{}?t={}", settings_.container, settings_.verb,
                              std::chrono::ceil<std::chrono::seconds>(settings_.stop_timeout).count());
    request.unix_socket = settings_.socket;
    request.deadline = deadline;
    request.max_redirects = 0;
    return context.http->request(std::move(request),
                                 [done = std::move(done), this, what = text()](const http::HttpResponse& response) {
                                   done(result_of(what, response));
                                 });
  }
  std::string text() const override { return fmt::format("docker {} {}", settings_.verb, settings_.container); }
  std::string target() const override { return "container " + settings_.container; }
  bool knows_stops() const override { return true; }
  loop::Handle ask_stopped(const Context& context, std::optional<base::WallTime> acted, base::Instant deadline,
                           std::function<void(std::string)> done) const override {
    return loop::Handle(std::make_unique<StopQuestion>(context, settings_, acted, deadline, std::move(done)));
  }

 private:
  ActionResult result_of(const std::string& what, const http::HttpResponse& response) const {
    if (response.reason == model::Reason::read_timeout)
      return {ActionStatus::timeout,
              fmt::format("{}: the engine did not answer in time; it may still restart the container", what)};
    if (response.reason == model::Reason::agent_overloaded)
      return {ActionStatus::failed, fmt::format("{}: {}", what, response.text), true};
    if (response.reason != model::Reason::none)
      return {ActionStatus::failed, fmt::format("{}: {}: {}", what, settings_.socket, response.text)};
    const std::string said = message_of(response.body);
    const std::string tail = said.empty() ? "" : ": " + said;
    switch (response.status) {
      case 204: return {ActionStatus::ok, what + ": done"};
      case 403:
        return {ActionStatus::refused,
                fmt::format("{}: {} does not allow it{}; the proxy must let POST /containers/{}/{} through", what,
                            settings_.socket, tail, settings_.container, settings_.verb)};
      case 404: return {ActionStatus::failed, fmt::format("{}: not found{}; see: docker ps --all", what, tail)};
      default: return {ActionStatus::failed, fmt::format("{}: HTTP status {}{}", what, response.status, tail)};
    }
  }

  Settings settings_;
};

// "restart", or {verb: restart, container: order-1, socket: /run/docker-proxy.sock}.
std::unique_ptr<const Action> parse(const config::Node& node, const std::string& path, const ActionOwner& owner,
                                    config::Errors& errors) {
  const std::size_t before = errors.size();
  Settings settings = schema().parse_or_word(node, &Settings::verb, path, errors);
  if (errors.size() > before) return nullptr;
  const config::Node verb = node.is_mapping() ? node.find("verb") : node;
  if (settings.verb != "restart") errors.add(verb.mark(), path, config::expected("restart", verb));
  if (settings.container.empty()) settings.container = owner.service;
  const config::Node container = node.is_mapping() ? node.find("container") : node;
  if (!is_container(settings.container))
    errors.add(container.is_null() ? node.mark() : container.mark(), path,
               fmt::format("'{}' is no name of a container: letters, digits and _.- are", settings.container));
  if (errors.size() > before) return nullptr;
  return std::make_unique<Docker>(std::move(settings));
}

}  // namespace

extern const ActionType docker_type;
const ActionType docker_type{"docker", "Restarts a container through the Docker Engine API on a unix socket.",
                             "{docker: {verb: restart, container: order-1, socket: /run/docker-proxy.sock}}", parse,
                             []() -> const std::vector<config::KeyReference>& { return schema().reference(); }};

}  // namespace recover
