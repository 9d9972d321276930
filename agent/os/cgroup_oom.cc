#include "os/cgroup_oom.h"

#include <fmt/format.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/ascii.h"
#include "base/file.h"
#include "base/number.h"
#include "base/unique_fd.h"
#include "loop/event_loop.h"

namespace os {
namespace {

class OomWatching final : public loop::Registration {
 public:
  OomWatching(loop::EventLoop& loop, std::string file, std::uint64_t kills, base::UniqueFd inotify,
              std::function<void(std::uint64_t)> killed)
      : file_(std::move(file)), kills_(kills), inotify_(std::move(inotify)), killed_(std::move(killed)) {
    watch_ = loop.watch(inotify_.value(), {.read = true}, [this](loop::Ready) { look(); });
  }

 private:
  void look() {
    // What happened is told by the file; here it is only taken off the queue. A control group that was removed ends it.
    alignas(inotify_event) std::array<char, 4096> buffer;
    while (::read(inotify_.value(), buffer.data(), buffer.size()) > 0) {
    }
    const auto text = base::read_file(file_, 4096);
    const auto kills = text ? oom_kills_in(*text) : std::nullopt;
    if (!kills || *kills <= kills_) return;
    const std::uint64_t more = *kills - std::exchange(kills_, *kills);
    // On the stack: the callback may drop this.
    const auto killed = killed_;
    killed(more);
  }

  std::string file_;
  std::uint64_t kills_;
  base::UniqueFd inotify_;
  std::function<void(std::uint64_t)> killed_;
  loop::Handle watch_;
};

}  // namespace

base::Result<std::string> control_group_of(pid_t pid) {
  TRY(const std::string text, base::read_file(fmt::format("/proc/{}/cgroup", pid), 64 * 1024));
  const std::size_t at = text.starts_with("0::") ? 0 : text.find("\n0::");
  if (at == std::string::npos)
    return base::fail(base::Kind::unavailable, fmt::format("process {} is in no control group of version 2", pid));
  const std::size_t from = text.find("::", at) + 2;
  return text.substr(from, text.find('\n', from) - from);
}

std::optional<std::uint64_t> oom_kills_in(std::string_view memory_events) {
  constexpr std::string_view kKey = "oom_kill ";
  while (!memory_events.empty()) {
    const std::string_view line = base::take_line(memory_events);
    if (!line.starts_with(kKey)) continue;
    if (const auto count = base::read_number<std::uint64_t>(line.substr(kKey.size()))) return count;
  }
  return std::nullopt;
}

base::Result<loop::Handle> watch_oom_kills(loop::EventLoop& loop, const std::string& file,
                                           std::function<void(std::uint64_t kills)> killed) {
  base::UniqueFd inotify(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!inotify || ::inotify_add_watch(inotify.value(), file.c_str(), IN_MODIFY) < 0)
    return base::fail_errno(errno, fmt::format("cannot watch {}", file));
  // Read after the watch began: no kill falls between the two.
  TRY(const std::string text, base::read_file(file, 4096));
  const auto kills = oom_kills_in(text);
  if (!kills) return base::fail(base::Kind::unavailable, fmt::format("{} counts no kills", file));
  return loop::Handle(std::make_unique<OomWatching>(loop, file, *kills, std::move(inotify), std::move(killed)));
}

}  // namespace os
