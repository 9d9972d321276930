// A container of a Docker engine: its state and its health check, by the engine's own events, and why it ended. Paths
// carry no version: the engine then speaks its newest.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>
#include <utility>

#include "base/log.h"
#include "base/percent.h"
#include "encoding/json_value.h"
#include "http/json_api.h"
#include "loop/scheduler.h"
#include "probe/common/probe_schema.h"
#include "probe/registry.h"
#include "probe/server/container_state.h"

namespace probe {
namespace {

using encoding::json;
using encoding::member;
using encoding::text_of;
using model::Outcome;
using model::Reason;
using namespace std::chrono_literals;

struct ContainerSettings {
  std::string container;
  std::string socket = http::kDockerSocket;
};

const config::Schema<ContainerSettings>& schema() {
  static const auto schema =
      probe_schema<ContainerSettings>("container")
          .optional("container", &ContainerSettings::container,
                    "Name or id of the container; empty: the service's name.")
          .reach(config::Reach::address)
          .optional("socket", &ContainerSettings::socket,
                    "Unix socket of the engine, or better of a proxy that lets only GET of /containers/NAME/json and "
                    "/events through; without /events a change is seen by the next run only.")
          .check([](const ContainerSettings& settings, const config::Complain& complain) {
            if (settings.socket.empty() || settings.socket.front() != '/')
              complain("socket", "must be an absolute path");
          });
  return schema;
}

// What a run and the event source need.
struct Asked {
  ContainerSettings settings;
  http::JsonApi engine;
};

// That the engine cannot be asked says nothing about the container: its word alone counts.
Outcome unknown(const Asked& asked, const std::string& path, const http::HttpResponse& response) {
  const bool refused = response.reason == Reason::none && (response.status == 401 || response.status == 403);
  return Outcome::failure(Reason::agent_overloaded,
                          fmt::format("{}: GET {}: {}{}", asked.settings.socket, path, asked.engine.complaint(response),
                                      refused ? "; the proxy must let this path through" : ""));
}

class ContainerProbe final : public Probe {
 public:
  ContainerProbe(const Context& context, const Asked& asked) : context_(context), asked_(asked) {}

  void start(base::Instant deadline, Done done) override {
    done_ = std::move(done);
    const std::string path = "/containers/" + asked_.settings.container + "/json";
    pending_ = asked_.engine.ask(context_.http, context_.scheduler, {.path = path, .deadline = deadline},
                                 [this, path](const http::HttpResponse& response) {
                                   Outcome outcome = judge(path, response);
                                   outcome.phases = response.phases;
                                   std::exchange(done_, nullptr)(std::move(outcome));
                                 });
  }

 private:
  Outcome judge(const std::string& path, const http::HttpResponse& response) const {
    const std::string& name = asked_.settings.container;
    if (response.reason == Reason::none && response.status == 404)
      return Outcome::failure(Reason::process_gone,
                              fmt::format("the engine has no container {}; see: docker ps --all", name));
    if (!http::is_good(response)) return unknown(asked_, path, response);
    const auto state = read_container(response.body);
    if (!state)
      return Outcome::failure(Reason::agent_overloaded,
                              fmt::format("{}: the answer is no description of a container", asked_.settings.socket));
    return judge_container(name, *state);
  }

  const Context& context_;
  const Asked& asked_;
  Done done_;
  loop::Handle pending_;
};

// One line of the engine's events.
struct EngineEvent {
  std::string action;  // die, oom, "health_status: unhealthy"
  std::string exit_code, signal;
  std::uint64_t at = 0;  // nanoseconds since the epoch
};

EngineEvent read_event(const std::string& line) {
  const json event = encoding::read_json(line);
  const json& attributes = member(member(event, "Actor"), "Attributes");
  return {text_of(member(event, "Action")), text_of(member(attributes, "exitCode")),
          text_of(member(attributes, "signal")), encoding::number_of(member(event, "timeNano")).value_or(0)};
}

// Asks for the engine's events again and again, each time for those after the last one that it has heard: between two
// questions nothing is lost.
class ContainerEvents final : public EventSource {
 public:
  ContainerEvents(const Context& context, const Asked& asked, OnEvent on_event)
      : context_(context), asked_(asked), on_event_(std::move(on_event)) {
    since_ = now();
    listen();
  }

  void describe(model::Outcome& outcome) const override {
    outcome.measurements.push_back({"probe_event_source_active", active_ ? 1.0 : 0.0, {{"source", "docker"}}});
    const bool ended = outcome.reason == Reason::signal || outcome.reason == Reason::exit_code ||
                       outcome.reason == Reason::process_gone;
    if (ended && !cause_.empty()) outcome.text += "; " + cause_;
  }

 private:
  static constexpr base::Duration kListen = 10min;  // one question
  static constexpr base::Duration kFirstPause = 1s, kLongestPause = 1min;

  std::uint64_t now() const {
    return static_cast<std::uint64_t>(base::to_ms(context_.scheduler.wall_now())) * 1'000'000;
  }

  // Exec events of health checks, nine of ten, stay out.
  std::string path() const {
    const json filters{{"type", {"container"}},
                       {"container", {asked_.settings.container}},
                       {"event", {"die", "oom", "kill", "start", "pause", "unpause", "destroy", "health_status"}}};
    constexpr std::uint64_t kSecond = 1'000'000'000;
    return fmt::format("/events?since={}.{:09}&filters={}", since_ / kSecond, since_ % kSecond,
                       base::percent_encode(filters.dump()));
  }

  void listen() {
    http::JsonApi::Request request{.path = path(), .deadline = context_.scheduler.now() + kListen};
    request.enough = [](std::string_view body) { return body.find('\n') != std::string_view::npos; };
    active_ = true;
    asked_at_ = context_.scheduler.now();
    listening_ = asked_.engine.ask(context_.http, context_.scheduler, std::move(request),
                                   [this](const http::HttpResponse& response) { heard(response); });
  }

  void heard(const http::HttpResponse& response) {
    // Silence for the whole time is an answer.
    const bool good = http::is_good(response) || response.reason == Reason::read_timeout;
    if (!good) return try_later(asked_.engine.complaint(response));
    const std::uint64_t before = since_;
    std::string told;
    std::istringstream lines(response.body);
    for (std::string line; std::getline(lines, line) && !lines.eof();)
      if (std::string one = take(read_event(line)); !one.empty()) told = std::move(one);
    // An engine that ends its answer without an event would be asked in each turn.
    if (response.reason == Reason::none && since_ == before) return try_later("the answer has no event");
    pause_ = kFirstPause;
    listen();
    if (!told.empty()) on_event_({"docker", std::move(told), context_.scheduler.now()});
  }

  void try_later(const std::string& why) {
    // A proxy may end long answers: that is no reason to wait longer and longer.
    if (context_.scheduler.now() - asked_at_ >= kLongestPause) pause_ = kFirstPause;
    if (active_ && pause_ == kFirstPause)
      base::log::debug("no events of a container; its runs go on", {{"socket", asked_.settings.socket}, {"why", why}});
    active_ = false;
    listening_ = context_.scheduler.after(pause_, [this] { listen(); });
    pause_ = std::min(2 * pause_, kLongestPause);
  }

  // What a run should look at; "" for what changes nothing by itself.
  std::string take(const EngineEvent& event) {
    since_ = std::max(since_, event.at + 1);
    if (event.action == "kill") {
      cause_ = fmt::format("the engine was told to send it signal {} (docker stop or docker kill)", event.signal);
      return "";
    }
    if (event.action == "start") cause_.clear();
    if (event.action == "oom") cause_ = "the kernel killed in it for want of memory";
    std::string text = fmt::format("container {}: {}", asked_.settings.container, event.action);
    if (event.action == "die") text += ", exit code " + event.exit_code;
    return event.action.empty() ? "" : text;
  }

  const Context& context_;
  const Asked& asked_;
  OnEvent on_event_;
  std::uint64_t since_ = 0;  // nanoseconds since the epoch: what is heard next
  bool active_ = false;
  std::string cause_;  // of an end: what was asked of the engine, or happened, before it
  base::Duration pause_ = kFirstPause;
  base::Instant asked_at_{};
  loop::Handle listening_;
};

class Container final : public Settings {
 public:
  explicit Container(ContainerSettings settings) : asked_{settings, http::JsonApi(http::docker_on(settings.socket))} {}
  std::unique_ptr<Probe> make(const Context& context) const override {
    return std::make_unique<ContainerProbe>(context, asked_);
  }
  std::unique_ptr<EventSource> watch(const Context& context, OnEvent on_event) const override {
    return std::make_unique<ContainerEvents>(context, asked_, std::move(on_event));
  }
  std::string target() const override { return "container " + asked_.settings.container; }

 private:
  Asked asked_;
};

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner& owner,
                                      config::Errors& errors) {
  ContainerSettings settings = schema().parse(node, path, errors);
  if (settings.container.empty()) settings.container = owner.service;
  if (settings.container.starts_with('/')) settings.container.erase(0, 1);  // as the engine writes names
  if (!http::is_plain_name(settings.container))
    errors.add(node.find("container").is_null() ? node.mark() : node.find("container").mark(), path + ".container",
               fmt::format("'{}' is no name of a container: letters, digits and _.- are", settings.container));
  return std::make_unique<Container>(std::move(settings));
}

}  // namespace

const Type container_type{
    .name = "container",
    .summary =
        "Looks at a container of a Docker engine: its state and its health check by event, with the cause of "
        "its end.",
    .example = R"(name: container
type: container
container: order-1
socket: /run/docker-proxy.sock
interval: 5s
timeout: 1s
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {"probe_container_state", "probe_container_health", "probe_container_restarts",
                     "probe_container_oom_killed"},
    .keys_of_target = [](std::string_view target) -> std::vector<std::pair<std::string, std::string>> {
      return {{"container", std::string(target)}};
    },
    .late = Reason::agent_overloaded,
    .other_measurements =
        std::vector<std::string_view>{"probe_container_exit_code", "probe_container_start_time_seconds",
                                      "probe_event_source_active"},
};

}  // namespace probe
