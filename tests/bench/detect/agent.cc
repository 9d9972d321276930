#include "bench/detect/agent.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "bench/detect/victim.h"

namespace bench {
namespace {

constexpr long long kPatience = 20'000'000'000;

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path + ".new") << text;
  std::filesystem::rename(path + ".new", path);
}

int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0) die("no free port");
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(fd);
  return ntohs(address.sin_port);
}

Agent::Agent(const std::string& fettle, const std::string& folder, const Scheduling& scheduling) : port_(free_port()) {
  int log[2];
  if (::pipe2(log, O_CLOEXEC) != 0) die("no pipe");
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::signal(SIGCHLD, SIG_DFL);
    ::setpriority(PRIO_PROCESS, 0, scheduling.nice);
    if (!scheduling.cgroup.empty()) std::ofstream(scheduling.cgroup + "/cgroup.procs") << ::getpid() << std::flush;
    ::dup2(log[1], 2);
    const std::string config = "--config.file=" + folder + "/fettle.yml", storage = "--storage.path=" + folder;
    const std::string listen = fmt::format("--web.listen-address=127.0.0.1:{}", port_);
    ::execl(fettle.c_str(), "fettle", "agent", config.c_str(), storage.c_str(), listen.c_str(),
            "--admin.socket=", nullptr);
    ::_exit(127);
  }
  ::close(log[1]);
  log_ = log[0];
  wait_for("/-/ready", "the agent to be ready",
           [](const std::string& page) { return page.find(" 200 OK") != std::string::npos; });
}

Agent::~Agent() {
  ::close(log_);
  ::kill(pid_, SIGTERM);
  ::waitpid(pid_, nullptr, 0);  // it holds the lock of its folder until it has ended
}

std::string Agent::get(const std::string& path) const {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port_);
  std::string answer;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    const std::string request = "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    if (::write(fd, request.data(), request.size()) == static_cast<ssize_t>(request.size())) {
      std::array<char, 4096> buffer;
      for (ssize_t n = 0; (n = ::read(fd, buffer.data(), buffer.size())) > 0;)
        answer.append(buffer.data(), static_cast<std::size_t>(n));
    }
  }
  ::close(fd);
  return answer;
}

long long Agent::wait_for_line(std::string_view first, std::string_view second, std::string& line) {
  for (const long long end = deadline();;) {
    for (std::size_t newline = 0; (newline = unread_.find('\n')) != std::string::npos;) {
      line = unread_.substr(0, newline);
      unread_.erase(0, newline + 1);
      if (line.find(first) != std::string::npos && line.find(second) != std::string::npos) return now_ns();
    }
    const long long left = (end - now_ns()) / 1'000'000;
    pollfd waiting{log_, POLLIN, 0};
    if (left <= 0 || ::poll(&waiting, 1, static_cast<int>(left)) != 1)
      die(fmt::format("no line with {} and {} within 20 s", first, second));
    std::array<char, 4096> text{};
    const ssize_t n = ::read(log_, text.data(), text.size());
    if (n <= 0) die("the agent ended");
    unread_.append(text.data(), static_cast<std::size_t>(n));
  }
}

void Agent::forget_lines() {
  std::array<char, 65536> text{};
  for (pollfd waiting{log_, POLLIN, 0}; ::poll(&waiting, 1, 0) == 1 && ::read(log_, text.data(), text.size()) > 0;) {
  }
  unread_.clear();
}

long long Agent::deadline() { return now_ns() + kPatience; }

void Agent::pause_until(long long end, const char* what) {
  if (now_ns() > end) die(fmt::format("waited 20 s for: {}", what));
  ::poll(nullptr, 0, 5);
}

}  // namespace bench
