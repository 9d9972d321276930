#include "probe/server/container_state.h"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <utility>

#include "base/text.h"
#include "encoding/json_value.h"

namespace probe {
namespace {

using encoding::json;
using encoding::member;
using encoding::number_of;
using encoding::text_of;
using model::Outcome;
using model::Reason;

constexpr std::array kStatuses{"created", "running", "paused", "restarting", "removing", "exited", "dead"};
constexpr std::array kHealths{"none", "starting", "healthy", "unhealthy"};
constexpr int kSignals = 128;  // an exit code above it is that of a shell, or of the engine, for a signal
constexpr int kHighestSignal = 64;

int whole(const json& value) { return value.is_number_integer() ? value.get<int>() : 0; }

// A time of RFC 3339; what never happened is in the year 1.
std::optional<base::WallTime> time_of(const json& value) {
  const auto time = base::parse_iso8601(text_of(value));
  if (!time || base::to_ms(*time) <= 0) return std::nullopt;
  return *time;
}

bool was_signal(int code) { return code > kSignals && code <= kSignals + kHighestSignal; }

Outcome not_running(const std::string& name, const ContainerState& state) {
  const std::string end = state.oom_killed ? "it ran out of memory (" + exit_in_words(state.exit_code) + ")"
                                           : exit_in_words(state.exit_code);
  const Reason reason = state.oom_killed || was_signal(state.exit_code) ? Reason::signal
                        : state.exit_code != 0                          ? Reason::exit_code
                                                                        : Reason::process_gone;
  const std::string cannot = state.error.empty() ? "" : ": " + base::first_line(state.error, 200);
  if (state.status == "paused")
    return Outcome::failure(Reason::unit_failed, fmt::format("container {0} is paused; docker unpause {0}", name));
  if (state.status == "restarting")
    return Outcome::failure(reason,
                            fmt::format("container {} is restarted by its policy after {}{}", name, end, cannot));
  if (state.status == "exited") return Outcome::failure(reason, fmt::format("container {}: {}{}", name, end, cannot));
  return Outcome::failure(Reason::process_gone, fmt::format("container {} is {}{}", name, state.status, cannot));
}

Outcome unhealthy(const std::string& name, const ContainerState& state) {
  const std::string last =
      state.health_exit_code < 0 ? "it does not end in its time" : fmt::format("exit code {}", state.health_exit_code);
  const std::string output = base::first_line(state.health_output, 200);
  return Outcome::failure(state.health_exit_code < 0 ? Reason::exec_timeout : Reason::exit_code,
                          fmt::format("container {} is unhealthy: its health check failed {} times in a row: {}{}",
                                      name, state.failing_streak, last, output.empty() ? "" : ": " + output));
}

Outcome verdict(const std::string& name, const ContainerState& state) {
  if (state.status != "running") return not_running(name, state);
  if (state.health == "unhealthy") return unhealthy(name, state);
  std::string text = fmt::format("container {} is running", name);
  if (state.health == "healthy") text += " and healthy";
  if (state.health == "starting") text += ", its health check has not passed yet";
  if (state.restarts > 0) text += fmt::format(", restarted {} times by its policy", state.restarts);
  return Outcome::success(std::move(text));
}

}  // namespace

std::string exit_in_words(int code) {
  if (!was_signal(code)) return fmt::format("exit code {}", code);
  return fmt::format("exit code {}, as after signal {} ({})", code, code - kSignals, ::strsignal(code - kSignals));
}

std::optional<ContainerState> read_container(std::string_view body) {
  const json document = encoding::read_json(body);
  const json& state = member(document, "State");
  ContainerState out;
  out.status = text_of(member(state, "Status"));
  if (out.status.empty()) return std::nullopt;
  out.exit_code = whole(member(state, "ExitCode"));
  const json& oom = member(state, "OOMKilled");
  out.oom_killed = oom.is_boolean() && oom.get<bool>();
  out.error = text_of(member(state, "Error"));
  out.restarts = number_of(member(document, "RestartCount")).value_or(0);
  out.started = time_of(member(state, "StartedAt"));
  out.finished = time_of(member(state, "FinishedAt"));
  const json& health = member(state, "Health");
  if (!health.is_object()) return out;
  out.health = text_of(member(health, "Status"));
  out.failing_streak = number_of(member(health, "FailingStreak")).value_or(0);
  if (const json& log = member(health, "Log"); log.is_array() && !log.empty()) {
    out.health_exit_code = whole(member(log.back(), "ExitCode"));
    out.health_output = text_of(member(log.back(), "Output"));
  }
  return out;
}

Outcome judge_container(const std::string& name, const ContainerState& state) {
  Outcome outcome = verdict(name, state);
  const auto measure = [&](const char* metric, double value) { outcome.measurements.push_back({metric, value, {}}); };
  for (const char* status : kStatuses)
    outcome.measurements.push_back({"probe_container_state", state.status == status ? 1.0 : 0.0, {{"state", status}}});
  for (const char* health : kHealths)
    outcome.measurements.push_back({"probe_container_health", state.health == health ? 1.0 : 0.0, {{"state", health}}});
  measure("probe_container_restarts", static_cast<double>(state.restarts));
  measure("probe_container_oom_killed", state.oom_killed ? 1 : 0);
  if (state.status != "running" && state.finished) measure("probe_container_exit_code", state.exit_code);
  if (state.status == "running" && state.started)
    measure("probe_container_start_time_seconds", static_cast<double>(base::to_ms(*state.started)) / 1000);
  return outcome;
}

}  // namespace probe
