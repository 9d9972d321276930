#include "files.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <stdexcept>

namespace shop {

sockaddr_un unix_address(const std::string& path) {
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  if (path.size() >= sizeof to.sun_path)
    throw std::runtime_error(
        fmt::format("{}: the path of a socket has at most 107 characters; use a shorter folder", path));
  std::memcpy(to.sun_path, path.c_str(), path.size() + 1);
  return to;
}

Fd control_socket(const std::string& path) {
  unlink(path.c_str());
  Fd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sockaddr_un to = unix_address(path);
  if (!fd || bind(fd.number(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
    throw std::runtime_error(fmt::format("{}: {}", path, std::strerror(errno)));
  return fd;
}

void write_pidfile(const std::string& path) {
  const std::string fresh = path + ".new";
  std::ofstream(fresh) << getpid() << '\n';
  if (std::rename(fresh.c_str(), path.c_str()) != 0)
    throw std::runtime_error(fmt::format("{}: {}", path, std::strerror(errno)));
}

Fd take_signals(std::initializer_list<int> numbers) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : numbers) sigaddset(&signals, number);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  return Fd(signalfd(-1, &signals, SFD_CLOEXEC));
}

}  // namespace shop
