#include "bench/detect/action.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <fstream>

#include "bench/detect/victim.h"

namespace bench {
namespace {

sockaddr_un unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  return address;
}

// A service that only lives: detached, with a pidfile.
void start_victim(const std::string& folder) {
  if (::fork() != 0) return;
  ::setsid();
  for (int fd = 0; fd < 3; ++fd) ::close(fd);  // a recovery command's output must end with the command
  write_text(folder + "/order.pid", std::to_string(::getpid()) + "\n");
  for (;;) ::pause();
}

pid_t victim_pid(const std::string& folder) {
  pid_t pid = 0;
  std::ifstream(folder + "/order.pid") >> pid;
  return pid;
}

void write_configuration(const std::string& folder, const std::string& self) {
  write_text(
      folder + "/rules.yml",
      "groups:\n- name: trading\n  interval: 5s\n  rules:\n  - alert: ServiceDown\n    expr: fettle_service_up == 0\n");
  write_text(folder + "/fettle.yml", fmt::format(R"(
global: {{node: bench, recovery: {{actions_per_hour: 1000000}}}}
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

}  // namespace

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

std::vector<double> times_to_action(const std::string& fettle, const std::string& self, const std::string& folder,
                                    const Scheduling& scheduling, int runs) {
  write_configuration(folder, self);
  start_victim(folder);
  const int began = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = unix_address(folder + "/began");
  if (::bind(began, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    die("cannot bind " + folder + "/began");
  std::vector<double> ms;
  {
    Agent agent(fettle, folder, scheduling);
    const auto healthy = [](const std::string& answer) {
      return answer.find("\"health\":\"up\"") != std::string::npos &&
             answer.find("\"state\":\"acting\"") == std::string::npos &&
             answer.find("\"state\":\"verifying\"") == std::string::npos;
    };
    for (int run = 0; run < runs; ++run) {
      const std::string done = fmt::format("result=\"ok\",service=\"order\"}} {}\n", run);
      agent.wait_for("/metrics", "the recovery before", [&](const std::string& page) {
        return run == 0 ? page.find(" 200 OK") != std::string::npos : page.find(done) != std::string::npos;
      });
      ::poll(nullptr, 0, 150);  // pages lag behind counters by up to 100 ms
      agent.wait_for("/api/v1/services", "the service to be healthy", healthy);
      agent.forget_lines();
      const long long killed = now_ns();
      ::kill(victim_pid(folder), SIGKILL);
      pollfd waiting{began, POLLIN, 0};
      if (::poll(&waiting, 1, 20'000) != 1) die(fmt::format("run {}: no action within 20 s", run));
      std::array<char, 64> text{};
      if (::recv(began, text.data(), text.size() - 1, 0) <= 0) die("no time from the action");
      ms.push_back(static_cast<double>(std::atoll(text.data()) - killed) / 1e6);
    }
  }
  ::kill(victim_pid(folder), SIGKILL);
  ::close(began);
  return ms;
}

}  // namespace bench
