// A network namespace of the test's own, in which it may turn the kernel's knobs: nothing outside of it notices.
#pragma once

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <fstream>
#include <functional>
#include <optional>
#include <string>

#include "base/unique_fd.h"

namespace fakes {

inline bool write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text << std::flush;
  return file.good();
}

inline void set_loopback(short flags, int mtu) {
  const base::UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_mtu = mtu;
  ::ioctl(fd.value(), SIOCSIFMTU, &request);
  request.ifr_flags = flags;
  ::ioctl(fd.value(), SIOCSIFFLAGS, &request);
}

// What `told` returned, run in a process of its own with nothing but a loopback of MTU 1500; nothing if the machine
// does not let the test have that.
inline std::optional<std::string> in_own_network(const std::function<std::string()>& told) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return std::nullopt;
  base::UniqueFd reading(ends[0]), writing(ends[1]);
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  const pid_t pid = ::fork();
  if (pid == 0) {
    bool made = ::unshare(CLONE_NEWNET) == 0;
    if (!made && ::unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0)
      made = write_file("/proc/self/setgroups", "deny") &&
             write_file("/proc/self/uid_map", "0 " + std::to_string(uid) + " 1") &&
             write_file("/proc/self/gid_map", "0 " + std::to_string(gid) + " 1");
    if (!made || !write_file("/proc/sys/net/ipv4/ping_group_range", "0 0")) ::_exit(1);
    set_loopback(IFF_UP | IFF_RUNNING, 1500);
    const std::string text = told();
    if (::write(writing.value(), text.data(), text.size()) < 0) ::_exit(2);
    ::_exit(0);
  }
  writing.reset();
  std::string text;
  std::array<char, 4096> buffer{};
  for (ssize_t n = 0; (n = ::read(reading.value(), buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(n));
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 1) return std::nullopt;
  return text;
}

}  // namespace fakes
