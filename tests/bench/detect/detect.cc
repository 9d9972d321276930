// How long from a SIGKILL of a service to the first instruction of its recovery action, through the real agent: pidfd
// event, confirming probe, rule, guards, intent on disk, command. Prints one JSON line with the distribution.
//
//   detect --fettle=PATH [--runs=200] [--folder=DIR]     the folder is made below DIR, so that fsync meets a real disk
//
// The same program is the victim (--victim) and the recovery command (--action): nothing else is measured with it.
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void die(const std::string& what) {
  fmt::print(stderr, "detect: {}\n", what);
  std::exit(1);
}

long long now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count();
}

sockaddr_un unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  return address;
}

void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path + ".new") << text;
  std::filesystem::rename(path + ".new", path);
}

// A service that only lives: detached, with a pidfile.
void start_victim(const std::string& folder) {
  if (::fork() != 0) return;
  ::setsid();
  for (int fd = 0; fd < 3; ++fd) ::close(fd);  // a recovery command's output must end with the command
  write_text(folder + "/order.pid", std::to_string(::getpid()) + "\n");
  for (;;) ::pause();
}

// The recovery command: first of all says when it began.
int act(const std::string& folder) {
  const long long began = now_ns();
  const int socket = ::socket(AF_UNIX, SOCK_DGRAM, 0);
  const sockaddr_un address = unix_address(folder + "/began");
  const std::string text = std::to_string(began);
  ::sendto(socket, text.data(), text.size(), 0, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  ::close(socket);
  start_victim(folder);
  return 0;
}

std::string http_get(int port, const std::string& path) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
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

// Asks until `holds` accepts the answer; the agent is ours and answers within milliseconds.
template <typename Holds>
void wait_for(int port, const std::string& path, const char* what, Holds holds) {
  const auto end = Clock::now() + std::chrono::seconds(20);
  while (!holds(http_get(port, path))) {
    if (Clock::now() > end) die(fmt::format("waited 20 s for: {}", what));
    ::poll(nullptr, 0, 5);
  }
}

int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0) die("no free port");
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(fd);
  return ntohs(address.sin_port);
}

void write_configuration(const std::string& folder, const std::string& self) {
  write_text(
      folder + "/rules.yml",
      "groups:\n- name: trading\n  interval: 5s\n  rules:\n  - alert: ServiceDown\n    expr: fettle_service_up == 0\n");
  write_text(folder + "/fettle.yml", fmt::format(R"(
global: {{node: bench}}
rule_files: [rules.yml]
services:
  order:
    probes:
      - {{name: process, type: process, pidfile: {0}/order.pid, interval: 200ms, timeout: 100ms}}
    recovery:
      when: {{alert: ServiceDown}}
      mode: enforce
      guards: {{min_uptime: 0s, cooldown: 0s, agent_uptime: 0s}}
      budget: {{attempts: 1000000, within: 24h, backoff: {{initial: 0s, max: 0s, jitter: 0}}}}
      steps:
        - {{do: {{command: {{argv: [{1}, --action, {0}]}}}}, timeout: 10s, verify: {{success_threshold: 1, within: 5s}}}}
)",
                                                 folder, self));
}

pid_t start_agent(const std::string& fettle, const std::string& folder, int port) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int log = ::open((folder + "/agent.log").c_str(), O_WRONLY | O_CREAT, 0644);
  ::dup2(log, 2);
  const std::string config = "--config.file=" + folder + "/fettle.yml", storage = "--storage.path=" + folder;
  const std::string listen = fmt::format("--web.listen-address=127.0.0.1:{}", port);
  ::execl(fettle.c_str(), "fettle", "agent", config.c_str(), storage.c_str(), listen.c_str(),
          "--admin.socket=", nullptr);
  ::_exit(127);
}

pid_t victim_pid(const std::string& folder) {
  pid_t pid = 0;
  std::ifstream(folder + "/order.pid") >> pid;
  return pid;
}

std::string option(int argc, char** argv, std::string_view name, std::string fallback) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with(name) && argument.size() > name.size() && argument[name.size()] == '=')
      return std::string(argument.substr(name.size() + 1));
  }
  return fallback;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--action") return act(argv[2]);
  const std::string fettle = option(argc, argv, "--fettle", "");
  if (fettle.empty()) die("say which agent to measure: --fettle=PATH");
  const int runs = std::atoi(option(argc, argv, "--runs", "200").c_str());
  std::string folder = std::filesystem::absolute(option(argc, argv, "--folder", ".")) / "detect-XXXXXX";
  if (!::mkdtemp(folder.data())) die("cannot make " + folder);
  const std::string self = std::filesystem::read_symlink("/proc/self/exe");
  const int port = free_port();
  write_configuration(folder, self);
  ::signal(SIGCHLD, SIG_IGN);
  start_victim(folder);
  const int began = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = unix_address(folder + "/began");
  if (::bind(began, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    die("cannot bind " + folder + "/began");
  const pid_t agent = start_agent(fettle, folder, port);
  const auto healthy = [](const std::string& answer) {
    return answer.find("\"health\":\"up\"") != std::string::npos &&
           answer.find("\"state\":\"acting\"") == std::string::npos &&
           answer.find("\"state\":\"verifying\"") == std::string::npos;
  };
  std::vector<double> ms;
  for (int run = 0; run < runs; ++run) {
    const std::string done = fmt::format("result=\"ok\",service=\"order\"}} {}\n", run);
    wait_for(port, "/metrics", "the recovery before", [&](const std::string& page) {
      return run == 0 ? page.find(" 200 OK") != std::string::npos : page.find(done) != std::string::npos;
    });
    ::poll(nullptr, 0, 150);  // pages lag behind counters by up to 100 ms
    wait_for(port, "/api/v1/services", "the service to be healthy", healthy);
    const long long killed = now_ns();
    ::kill(victim_pid(folder), SIGKILL);
    pollfd waiting{began, POLLIN, 0};
    if (::poll(&waiting, 1, 20'000) != 1)
      die(fmt::format("run {}: no action within 20 s; see {}/agent.log", run, folder));
    std::array<char, 64> text{};
    if (::recv(began, text.data(), text.size() - 1, 0) <= 0) die("no time from the action");
    ms.push_back(static_cast<double>(std::atoll(text.data()) - killed) / 1e6);
  }
  ::kill(agent, SIGTERM);
  ::kill(victim_pid(folder), SIGKILL);
  std::sort(ms.begin(), ms.end());
  const auto at = [&](double q) {
    return ms[std::min(ms.size() - 1, static_cast<std::size_t>(q * static_cast<double>(ms.size())))];
  };
  fmt::print(
      "{{\"bench\":\"detect\",\"figure\":\"kill_to_action\",\"unit\":\"ms\",\"runs\":{},\"p50\":{:.2f},\"p90\":{:.2f},"
      "\"p99\":{:.2f},\"max\":{:.2f}}}\n",
      ms.size(), at(0.5), at(0.9), at(0.99), ms.back());
  std::filesystem::remove_all(folder);
  return 0;
}
