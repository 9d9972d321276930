#include "os/systemd/unit_read.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace os {
namespace {

constexpr std::uint64_t kAnswerWithin = 10'000'000;  // microseconds; callers have deadlines of their own

std::string read_string(sd_bus_message* message) {
  const char* text = nullptr;
  if (sd_bus_message_read(message, "v", "s", &text) < 0 || text == nullptr) return "";
  return text;
}

// The path of the job that a unit has; "" for none.
std::string read_job(sd_bus_message* message) {
  std::uint32_t id = 0;
  const char* path = nullptr;
  if (sd_bus_message_read(message, "v", "(uo)", &id, &path) < 0 || id == 0 || path == nullptr) return "";
  return path;
}

template <typename T>
T read_number(sd_bus_message* message, const char* type) {
  T value{};
  sd_bus_message_read(message, "v", type, &value);
  return value;
}

}  // namespace

std::string unit_path(const std::string& unit) {
  char* path = nullptr;
  std::string out;
  if (sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit.c_str(), &path) >= 0) out = path;
  std::free(path);
  return out;
}

UnitRead::UnitRead(BusConnection& bus, const std::string& unit, Done done)
    : bus_(bus), unit_(unit), done_(std::move(done)) {
  const std::string path = unit_path(unit);
  // Of all interfaces that the unit has: one question, because a bus lets only so many wait for their answers, and
  // after a daemon-reload all units are read again.
  ask(path, "", nullptr, &UnitRead::on_unit);
  ask("/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "SystemState", &UnitRead::on_system);
  bus.sent();
}

void UnitRead::ask(const std::string& path, const char* interface, const char* property,
                   sd_bus_message_handler_t on_reply) {
  sd_bus_message* call = nullptr;
  sd_bus_slot* slot = nullptr;
  int code = sd_bus_message_new_method_call(bus_.native(), &call, kSystemd, path.c_str(),
                                            "org.freedesktop.DBus.Properties", property != nullptr ? "Get" : "GetAll");
  const Message owned(call);
  if (code >= 0) code = sd_bus_message_append(call, "s", interface);
  if (code >= 0 && property != nullptr) code = sd_bus_message_append(call, "s", property);
  if (code >= 0) code = sd_bus_call_async(bus_.native(), &slot, call, on_reply, this, kAnswerWithin);
  // A connection that has just ended: told by its own end, which comes.
  if (code < 0) return;
  slots_.emplace_back(slot);
  ++pending_;
}

int UnitRead::on_unit(sd_bus_message* reply, void* self, sd_bus_error*) {
  auto& read = *static_cast<UnitRead*>(self);
  if (sd_bus_message_is_method_error(reply, nullptr) != 0) {
    read.error_ = bus_error(reply, fmt::format("cannot read the state of {}", read.unit_));
    read.answered();
    return 0;
  }
  UnitState& state = read.state_;
  std::string job;
  sd_bus_message_enter_container(reply, 'a', "{sv}");
  while (sd_bus_message_enter_container(reply, 'e', "sv") > 0) {
    const char* name = nullptr;
    sd_bus_message_read(reply, "s", &name);
    const std::string_view property = name != nullptr ? name : "";
    if (property == "LoadState") state.load = read_string(reply);
    else if (property == "ActiveState") state.active = read_string(reply);
    else if (property == "SubState") state.sub = read_string(reply);
    else if (property == "Job") job = read_job(reply);
    else if (property == "ActiveEnterTimestamp") state.active_enter_us = read_number<std::uint64_t>(reply, "t");
    else if (property == "ActiveEnterTimestampMonotonic")
      state.active_enter_monotonic_us = read_number<std::uint64_t>(reply, "t");
    else if (property == "InactiveExitTimestampMonotonic")
      state.inactive_exit_monotonic_us = read_number<std::uint64_t>(reply, "t");
    else if (property == "StateChangeTimestampMonotonic")
      state.state_change_monotonic_us = read_number<std::uint64_t>(reply, "t");
    else if (property == "StartLimitIntervalUSec") state.start_limit_us = read_number<std::uint64_t>(reply, "t");
    else if (property == "StartLimitBurst") state.start_limit_burst = read_number<std::uint32_t>(reply, "u");
    else if (property == "FreezerState") state.freezer = read_string(reply);
    else if (property == "Result") state.result = read_string(reply);
    else if (property == "NRestarts") state.restarts = read_number<std::uint32_t>(reply, "u");
    else if (property == "MainPID") state.main_pid = static_cast<pid_t>(read_number<std::uint32_t>(reply, "u"));
    else if (property == "ExecMainCode") state.exec_main_code = read_number<std::int32_t>(reply, "i");
    else if (property == "ExecMainStatus") state.exec_main_status = read_number<std::int32_t>(reply, "i");
    else if (property == "ControlPID") state.control_pid = static_cast<pid_t>(read_number<std::uint32_t>(reply, "u"));
    else if (property == "TimeoutStartUSec") state.start_timeout_us = read_number<std::uint64_t>(reply, "t");
    // Since systemd 254 the wait grows with each restart in a row: RestartUSecNext.
    else if (property == "RestartUSec" || property == "RestartUSecNext")
      state.restart_wait_us = std::max(state.restart_wait_us, read_number<std::uint64_t>(reply, "t"));
    else sd_bus_message_skip(reply, "v");
    sd_bus_message_exit_container(reply);
  }
  if (!job.empty()) {  // a unit tells which job it has, and the job what it is
    read.ask(job, "org.freedesktop.systemd1.Job", "JobType", &UnitRead::on_job);
    read.bus_.sent();
  }
  if (state.load == "not-found")
    read.error_ = base::Error{base::Kind::not_found, fmt::format("systemd knows no unit {}", read.unit_)};
  read.answered();
  return 0;
}

// A job that has ended meanwhile is an error, and no job.
int UnitRead::on_job(sd_bus_message* reply, void* self, sd_bus_error*) {
  auto& read = *static_cast<UnitRead*>(self);
  if (sd_bus_message_is_method_error(reply, nullptr) == 0) read.state_.job = read_string(reply);
  read.answered();
  return 0;
}

int UnitRead::on_system(sd_bus_message* reply, void* self, sd_bus_error*) {
  auto& read = *static_cast<UnitRead*>(self);
  if (sd_bus_message_is_method_error(reply, nullptr) == 0) read.state_.system = read_string(reply);
  read.answered();
  return 0;
}

// May destroy this object.
void UnitRead::answered() {
  if (--pending_ > 0) return;
  const Done done = std::move(done_);
  if (error_) done(tl::unexpected<base::Error>(*std::move(error_)));
  else done(std::move(state_));
}

}  // namespace os
