// A time of the week in which nothing is done: "Sun 02:00-04:00", "Mon-Fri 22:00-06:00", "Sat,Sun 00:00-24:00", or
// "02:00-04:00" for every day. One whose end is not after its begin goes over midnight; the days are those on which it
// begins. On the days of a clock change it is rather too long than too short. Pure.
#pragma once

#include <bitset>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time_zone.h"

namespace config {
class Errors;
class Node;
}  // namespace config

namespace recover {

class MaintenanceWindow {
 public:
  // The error says how a window is written.
  static base::Result<MaintenanceWindow> parse(std::string_view text);

  // Its end, if `now` is in it.
  std::optional<base::WallTime> open_until(base::WallTime now, const base::TimeZone& zone) const;
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::bitset<7> days_;    // Sunday is 0
  int from_ = 0, to_ = 0;  // minutes since midnight; to_ may be of the next day
};

// Whether `now` is in one of them, by the node's own time zone.
bool is_within(const std::vector<MaintenanceWindow>& windows, base::WallTime now);

// Those that a list says, or one by itself; mistakes go to `errors`, each with its place.
std::vector<MaintenanceWindow> read_windows(const config::Node& node, const std::string& path, config::Errors& errors);

}  // namespace recover
