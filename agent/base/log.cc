#include "base/log.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <nlohmann/json.hpp>

#include "base/journal.h"
#include "base/log_limit.h"
#include "base/text.h"
#include "base/time.h"

namespace base::log {
namespace {

// What a field may hold, in bytes: journald cuts lines of 48 KiB in two.
constexpr std::size_t kFieldLimit = 8 * 1024;

std::atomic<Format> active_format{Format::logfmt};

spdlog::logger& sink() {
  static const auto logger = [] {
    auto created = spdlog::stderr_logger_mt("fettle");
    created->set_pattern("%v");
    created->flush_on(spdlog::level::debug);
    return created;
  }();
  return *logger;
}

std::string_view name_of(Level level) {
  switch (level) {
    case Level::debug: return "debug";
    case Level::info: return "info";
    case Level::warn: return "warn";
    case Level::error: return "error";
  }
  return "info";
}

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug: return spdlog::level::debug;
    case Level::info: return spdlog::level::info;
    case Level::warn: return spdlog::level::warn;
    case Level::error: return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::string quote_logfmt(std::string_view text) {
  const std::string value = foreign_lines(text, kFieldLimit);
  const bool plain = !value.empty() && value.find_first_of(" \"=\n\t\r") == std::string_view::npos;
  if (plain) return value;
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') out += "\\n";
    else if (c == '\t') out += "\\t";
    else out += c;
  }
  return out + '"';
}

std::mutex limit_mutex;
LineLimit limit;

bool to_journal() {
  static const bool is = is_journal(std::getenv("JOURNAL_STREAM"), STDERR_FILENO);
  return is;
}

void write_line(Level level, std::string_view message, Fields fields) {
  const Format format = active_format.load(std::memory_order_relaxed);
  const std::string now = format_iso8601(std::chrono::time_point_cast<Millis>(std::chrono::system_clock::now()));
  std::string line = render(format, level, message, fields);
  if (format == Format::json) line.insert(1, fmt::format(R"("ts":"{}",)", now));
  else line.insert(0, fmt::format("ts={} ", now));
  sink().log(to_spdlog(level), "{}{}", to_journal() ? journal_priority(level) : "", line);
}

void write(Level level, std::string_view message, Fields fields) {
  if (!sink().should_log(to_spdlog(level))) return;
  LineLimit::Verdict verdict;
  {
    const std::lock_guard lock(limit_mutex);
    verdict = limit.take(message, Clock::now());
  }
  for (const LineLimit::LeftOut& ended : verdict.ended)
    write_line(Level::warn, "lines of one message were left out of the log: they came too fast",
               {{"message", ended.message}, {"lines", fmt::format("{}", ended.lines)}});
  if (verdict.write) write_line(level, message, fields);
}

}  // namespace

Result<Level> parse_level(std::string_view name) {
  for (const Level level : {Level::debug, Level::info, Level::warn, Level::error})
    if (name == name_of(level)) return level;
  return fail(Kind::invalid, fmt::format("unknown log level '{}'; use debug, info, warn or error", name));
}

Result<Format> parse_format(std::string_view name) {
  if (name == "logfmt") return Format::logfmt;
  if (name == "json") return Format::json;
  return fail(Kind::invalid, fmt::format("unknown log format '{}'; use logfmt or json", name));
}

void configure(Level level, Format format) {
  active_format.store(format, std::memory_order_relaxed);
  sink().set_level(to_spdlog(level));
}

std::uint64_t lines_left_out() {
  const std::lock_guard lock(limit_mutex);
  return limit.left_out();
}

std::string render(Format format, Level level, std::string_view message, Fields fields) {
  if (format == Format::json) {
    nlohmann::ordered_json line;
    line["level"] = name_of(level);
    line["msg"] = foreign_lines(message, kFieldLimit);
    for (const Field& field : fields) line[std::string(field.key)] = foreign_lines(field.value, kFieldLimit);
    return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  }
  std::string line = fmt::format("level={} msg={}", name_of(level), quote_logfmt(message));
  for (const Field& field : fields) line += fmt::format(" {}={}", field.key, quote_logfmt(field.value));
  return line;
}

void debug(std::string_view message, Fields fields) { write(Level::debug, message, fields); }
void info(std::string_view message, Fields fields) { write(Level::info, message, fields); }
void warn(std::string_view message, Fields fields) { write(Level::warn, message, fields); }
void error(std::string_view message, Fields fields) { write(Level::error, message, fields); }

}  // namespace base::log
