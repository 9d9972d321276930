// CHECK(condition): what cannot happen aborts with file, line and condition; systemd restarts the agent and the durable
// state keeps budgets and alerts. Never for user input or for anything the environment can do.
#pragma once

namespace base {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}

#define CHECK(condition) \
  if (!(condition)) ::base::check_failed(#condition, __FILE__, __LINE__)
