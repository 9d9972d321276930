#include "keeper.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <vector>

#include "files.h"

namespace shop {
namespace {

std::string start(const std::string& run, const std::string& name) {
  std::vector<std::string> words;
  std::ifstream file(fmt::format("{}/{}.cmd", run, name));
  for (std::string line; std::getline(file, line);) words.push_back(line);
  if (words.empty()) return fmt::format("error: {}/{}.cmd names no command", run, name);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  const std::string log = fmt::format("{}/{}.log", run, name);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, argv[0], &files, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  return error ? fmt::format("error: {}: {}", words[0], std::strerror(error)) : fmt::format("{} is {}", name, pid);
}

void answer(const Fd& control, const std::string& run) {
  char text[256];
  sockaddr_un from{};
  socklen_t length = sizeof from;
  const ssize_t got = recvfrom(control.number(), text, sizeof text, 0, reinterpret_cast<sockaddr*>(&from), &length);
  if (got < 0) return;
  const std::string_view order(text, static_cast<std::size_t>(got));
  const std::string reply = order.starts_with("start ") ? start(run, std::string(order.substr(6)))
                                                        : fmt::format("error: \"{}\" is not start NAME", order);
  sendto(control.number(), reply.data(), reply.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&from), length);
}

}  // namespace

void keep(const std::string& run) {
  const Fd signals = take_signals({SIGTERM, SIGINT, SIGCHLD});
  const Fd control = control_socket(run + "/keeper.ctl");
  write_pidfile(run + "/keeper.pid");
  while (true) {
    pollfd watched[] = {{signals.number(), POLLIN, 0}, {control.number(), POLLIN, 0}};
    poll(watched, 2, -1);
    if (watched[0].revents) {
      signalfd_siginfo signal{};
      if (read(signals.number(), &signal, sizeof signal) > 0 && signal.ssi_signo != SIGCHLD) break;
      while (waitpid(-1, nullptr, WNOHANG) > 0) continue;
    }
    if (watched[1].revents) answer(control, run);
  }
  unlink((run + "/keeper.ctl").c_str());
  unlink((run + "/keeper.pid").c_str());
}

}  // namespace shop
