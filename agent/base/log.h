// Log lines with fields, as logfmt or JSON, on stderr (journald adds the rest). Safe from every thread.
//   log::info("probe failed", {{"service", "order"}, {"probe", "http"}, {"reason", "refused"}});
// A line says what happened, to which thing, and what to do next; it is written once per change, never once per run.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "base/result.h"

namespace base::log {

enum class Level { debug, info, warn, error };
enum class Format { logfmt, json };

struct Field {
  std::string_view key;
  std::string value;
};
using Fields = std::initializer_list<Field>;

Result<Level> parse_level(std::string_view name);
Result<Format> parse_format(std::string_view name);
void configure(Level level, Format format);

void debug(std::string_view message, Fields fields = {});
void info(std::string_view message, Fields fields = {});
void warn(std::string_view message, Fields fields = {});
void error(std::string_view message, Fields fields = {});

// One line without its time stamp, as the sink would write it; for tests.
std::string render(Format format, Level level, std::string_view message, Fields fields);

}  // namespace base::log
