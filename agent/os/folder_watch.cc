#include "os/folder_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/unique_fd.h"
#include "loop/event_loop.h"

namespace os {
namespace {

// Closing after writing, not each write: a file is looked at when it is whole.
constexpr std::uint32_t kEvents =
    IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

struct Watch final : loop::Registration {
  base::UniqueFd fd;
  loop::Handle readable;
};

}  // namespace

base::Result<loop::Handle> FolderWatch::watch(const std::string& folder, std::function<void()> changed) {
  auto watch = std::make_unique<Watch>();
  watch->fd.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  const int fd = watch->fd.value();
  if (fd < 0 || ::inotify_add_watch(fd, folder.c_str(), kEvents) < 0) {
    const int code = errno;
    return base::fail_errno(code, "cannot watch the folder " + folder);
  }
  watch->readable = loop_.watch(fd, {.read = true}, [fd, changed = std::move(changed)](loop::Ready) {
    alignas(inotify_event) std::array<char, 4096> events;
    while (::read(fd, events.data(), events.size()) > 0) {
    }
    changed();
  });
  return loop::Handle(std::move(watch));
}

}  // namespace os
