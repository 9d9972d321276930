// --watch: a command again and again, each time in the place of the last, until it is interrupted.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "base/time.h"

namespace cli {

// "2s"; at least 100 ms.
base::Result<base::Millis> parse_watch(const std::string& text);

// Shows until `wait` says no; the exit code of the last time. On a terminal each time begins with an empty screen, else
// an empty line stands between two.
int watch(const std::function<int()>& show, const std::function<bool()>& wait);

}  // namespace cli
