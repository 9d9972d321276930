#include "recover/traffic/flag_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"
#include "loop/scheduler.h"

namespace recover::traffic {
namespace {

base::Result<> show(const std::string& path, const std::optional<std::string>& wanted) {
  if (!wanted) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return base::fail_errno(errno, "cannot remove " + path);
    return {};
  }
  if (const auto now = base::read_file(path); now && *now == *wanted) return {};
  return base::write_file_atomically(path, *wanted);
}

}  // namespace

loop::Handle FlagFile::apply(const DesiredState& to, base::Instant, std::function<void(ApplyResult)> done) {
  const auto& wanted = to.is_out() ? flag_.out : flag_.in;
  const auto shown = show(flag_.path, wanted);
  std::string content = wanted.value_or("");
  while (content.ends_with("\n")) content.pop_back();
  ApplyResult applied{ActionStatus::failed, shown ? "" : shown.error().text};
  if (shown)
    applied = {ActionStatus::ok,
               wanted ? fmt::format("file {}: '{}'", flag_.path, content) : fmt::format("file {}: gone", flag_.path)};
  return scheduler_.after({}, [done = std::move(done), applied = std::move(applied)] { done(applied); });
}

}  // namespace recover::traffic
