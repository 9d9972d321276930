#include "net/unix_datagram.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/unique_fd.h"
#include "loop/event_loop.h"

namespace net {
namespace {

constexpr std::size_t kLargest = 4096;
constexpr int kPerTurn = 64;

struct Receiver final : loop::Registration {
  ~Receiver() override {
    if (inode == 0) return;
    // Only the own file: somebody may have put another one there since.
    struct stat now {};
    if (::lstat(path.c_str(), &now) == 0 && now.st_dev == device && now.st_ino == inode) ::unlink(path.c_str());
  }
  std::string path;
  dev_t device = 0;
  ino_t inode = 0;
  base::UniqueFd fd;
  loop::Handle watch;
};

enum class Received { told, skipped, nothing };

// Reads one datagram; what is too long, or comes without credentials, is skipped.
Received receive(int fd, std::array<char, kLargest>& bytes, std::size_t& size, DatagramSender& sender) {
  iovec where{.iov_base = bytes.data(), .iov_len = bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred))> control;
  msghdr message{};
  message.msg_iov = &where;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t n = ::recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (n < 0) return Received::nothing;
  if ((message.msg_flags & MSG_TRUNC) != 0) return Received::skipped;
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_CREDENTIALS)
    return Received::skipped;
  ucred credentials{};
  std::memcpy(&credentials, CMSG_DATA(header), sizeof credentials);
  size = static_cast<std::size_t>(n);
  sender = {credentials.uid, credentials.pid};
  return Received::told;
}

}  // namespace

base::Result<loop::Handle> receive_datagrams(
    loop::EventLoop& loop, const std::string& path,
    std::function<void(std::string_view bytes, const DatagramSender& sender)> on_datagram) {
  const std::string what = fmt::format("cannot receive datagrams at {}", path);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return base::fail(base::Kind::invalid,
                      fmt::format("{}: a socket's path has 1 to {} characters", what, sizeof address.sun_path - 1));
  path.copy(address.sun_path, path.size());

  struct stat old {};
  if (::lstat(path.c_str(), &old) == 0) {
    if (!S_ISSOCK(old.st_mode))
      return base::fail(base::Kind::io, fmt::format("{}: a file that is no socket is there", what));
    ::unlink(path.c_str());
  }
  auto receiver = std::make_unique<Receiver>();
  receiver->fd.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int fd = receiver->fd.value();
  const int on = 1;
  if (fd < 0 || ::setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) return base::fail_errno(errno, what);
  // The mode is there before the name is: nobody can connect in between.
  if (::fchmod(fd, 0660) != 0 || ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return base::fail_errno(errno, what);
  struct stat made {};
  if (::chmod(path.c_str(), 0660) != 0 || ::lstat(path.c_str(), &made) != 0) return base::fail_errno(errno, what);
  receiver->path = path;
  receiver->device = made.st_dev;
  receiver->inode = made.st_ino;

  // One told a turn: the callback may drop the Handle and with it the descriptor.
  receiver->watch = loop.watch(fd, {.read = true}, [fd, on_datagram = std::move(on_datagram)](loop::Ready) {
    std::array<char, kLargest> bytes;
    for (int i = 0; i < kPerTurn; ++i) {
      std::size_t size = 0;
      DatagramSender sender;
      const Received received = receive(fd, bytes, size, sender);
      if (received == Received::nothing) return;
      if (received == Received::told) return on_datagram({bytes.data(), size}, sender);
    }
  });
  return loop::Handle(std::move(receiver));
}

}  // namespace net
