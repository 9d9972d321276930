// A string that never prints: logs, pages and /api/v1/status/config show "<secret>". Call reveal() only where it is
// used.
#pragma once

#include <string>
#include <utility>

namespace base {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  const std::string& reveal() const { return value_; }
  bool empty() const { return value_.empty(); }

 private:
  std::string value_;
};

}  // namespace base
