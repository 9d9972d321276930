// Reads a unit's state over D-Bus: a handful of questions at once, one answer. Used inside os/ only.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "os/systemd/bus_connection.h"
#include "os/systemd/systemd.h"

namespace os {

inline constexpr const char* kSystemd = "org.freedesktop.systemd1";
inline constexpr const char* kManagerPath = "/org/freedesktop/systemd1";
inline constexpr const char* kManager = "org.freedesktop.systemd1.Manager";

std::string unit_path(const std::string& unit);

// `done` once, from the loop; dropping this silences it. `bus` outlives it.
class UnitRead {
 public:
  using Done = std::function<void(base::Result<UnitState>)>;
  UnitRead(BusConnection& bus, const std::string& unit, Done done);
  UnitRead(const UnitRead&) = delete;
  UnitRead& operator=(const UnitRead&) = delete;

 private:
  void ask(const std::string& path, const char* interface, const char* property, sd_bus_message_handler_t on_reply);
  static int on_unit(sd_bus_message* reply, void* self, sd_bus_error*);
  static int on_job(sd_bus_message* reply, void* self, sd_bus_error*);
  static int on_system(sd_bus_message* reply, void* self, sd_bus_error*);
  void answered();

  BusConnection& bus_;
  std::string unit_;
  Done done_;
  UnitState state_;
  std::optional<base::Error> error_;
  int pending_ = 0;
  std::vector<Slot> slots_;
};

}  // namespace os
