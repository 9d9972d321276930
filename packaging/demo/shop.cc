// fettle-shop: one process of the demo shop, and the two commands that its scripts need.
//   fettle-shop ROLE --listen=HOST:PORT --run=FOLDER [--name=NAME] [--peer=ROLE=HOST:PORT]... [--heartbeat=SOCKET]
//                    [--file=FILE] [--secret-file=FILE]
//   fettle-shop tell SOCKET WORD...   says "slow 500", "error", "mute", "fill", "die" or "heal" to a running process
//   fettle-shop keeper FOLDER         starts processes for shopctl
//   fettle-shop ports N               prints N free ports of the loopback interface
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <vector>

#include "files.h"
#include "keeper.h"
#include "net.h"
#include "roles.h"

namespace {

using shop::Fd;

constexpr int kBacklog = 16;  // small, so that filling the accept queue takes a moment only
constexpr int kMostConnections = 64;
constexpr auto kHeartbeat = std::chrono::milliseconds(500);

class Process {
 public:
  explicit Process(shop::Settings settings) : settings_(std::move(settings)) {}

  // Serves until SIGTERM or SIGINT; then lets running requests end, for two seconds at most, and ends the process.
  [[noreturn]] void run() {
    const Fd stop = shop::take_signals({SIGTERM, SIGINT});
    const std::string base = settings_.run + "/" + settings_.name;
    Fd listener = shop::listen_on(settings_.listen, kBacklog);
    const Fd control = shop::control_socket(base + ".ctl");
    shop::write_pidfile(base + ".pid");

    auto next_beat = std::chrono::steady_clock::now();
    while (true) {
      // While the accept queue is to fill, nobody looks at the listener.
      pollfd watched[] = {{stop.number(), POLLIN, 0},
                          {control.number(), POLLIN, 0},
                          {faults_.fill ? -1 : listener.number(), POLLIN, 0}};
      poll(watched, 3, 100);
      if (watched[0].revents) break;
      if (watched[1].revents) take_order(control);
      if (watched[2].revents) accept_one(listener);
      if (std::chrono::steady_clock::now() >= next_beat) {
        beat();
        next_beat += kHeartbeat;
      }
    }
    listener = Fd();
    faults_.mute = false;
    faults_.slow_ms = 0;
    for (int i = 0; i < 100 && faults_.running > 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    // For the last bytes of an answer; idle connections still have their threads, so nothing is torn down.
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    unlink((base + ".ctl").c_str());
    unlink((base + ".pid").c_str());
    _exit(0);
  }

 private:
  void accept_one(const Fd& listener) {
    Fd connection(accept4(listener.number(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection || connections_ >= kMostConnections) return;
    ++connections_;
    std::thread([this, taken = std::move(connection)] {
      shop::serve(taken, handler_);
      --connections_;
    }).detach();
  }

  void beat() const {
    if (settings_.heartbeat.empty()) return;
    const Fd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const sockaddr_un to = shop::unix_address(settings_.heartbeat);
    // An agent that is not there right now is no reason for a shop to worry.
    sendto(fd.number(), settings_.name.data(), settings_.name.size(), MSG_NOSIGNAL,
           reinterpret_cast<const sockaddr*>(&to), sizeof to);
  }

  void take_order(const Fd& control) {
    char text[256];
    sockaddr_un from{};
    socklen_t length = sizeof from;
    const ssize_t got = recvfrom(control.number(), text, sizeof text, 0, reinterpret_cast<sockaddr*>(&from), &length);
    if (got < 0) return;
    const std::string reply = obey(std::string(text, static_cast<std::size_t>(got)));
    sendto(control.number(), reply.data(), reply.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&from),
           length);
  }

  std::string obey(const std::string& text) {
    std::istringstream words(text);
    std::string what;
    int number = 0;
    words >> what >> number;
    if (what == "slow") {
      faults_.slow_ms = number;
    } else if (what == "error") {
      faults_.error = true;
    } else if (what == "mute") {
      faults_.mute = true;
    } else if (what == "fill") {
      fill();
    } else if (what == "heal") {
      faults_.slow_ms = 0;
      faults_.error = faults_.mute = faults_.fill = false;
      queued_.clear();
    } else if (what == "die") {
      _exit(1);
    } else {
      return fmt::format("error: \"{}\" is none of slow MS, error, mute, fill, die, heal", what);
    }
    return fmt::format("{}: {}", settings_.name, text);
  }

  // Takes all places of its own accept queue, as a crowd of clients would.
  void fill() {
    faults_.fill = true;
    for (int i = 0; i <= kBacklog; ++i) {
      std::string error;
      Fd fd = shop::connect_to(settings_.listen, 20, error);
      if (!fd) break;
      queued_.push_back(std::move(fd));
    }
  }

  const shop::Settings settings_;
  shop::Faults faults_;
  const shop::Handler handler_ = shop::handler_of(settings_, faults_);
  std::atomic<int> connections_ = 0;
  std::vector<Fd> queued_;  // main thread
};

std::string read_secret(const std::string& path) {
  std::ifstream file(path);
  std::string secret;
  if (!std::getline(file, secret)) throw std::runtime_error(fmt::format("{}: cannot read the secret", path));
  return secret;
}

shop::Settings parse_settings(const std::string& role, const std::vector<std::string>& options) {
  shop::Settings settings{
      .role = role, .name = role, .listen = {}, .run = "", .peers = {}, .heartbeat = "", .file = "", .secret = ""};
  for (const std::string& option : options) {
    const std::size_t equals = std::min(option.find('='), option.size());
    const std::string name = option.substr(0, equals);
    const std::string value = option.substr(std::min(equals + 1, option.size()));
    if (name == "--listen") {
      settings.listen = shop::parse_address(value);
    } else if (name == "--name") {
      settings.name = value;
    } else if (name == "--run") {
      settings.run = value;
    } else if (name == "--peer") {
      const std::size_t second = std::min(value.find('='), value.size());
      settings.peers[value.substr(0, second)] = shop::parse_address(value.substr(std::min(second + 1, value.size())));
    } else if (name == "--heartbeat") {
      settings.heartbeat = value;
    } else if (name == "--file") {
      settings.file = value;
    } else if (name == "--secret-file") {
      settings.secret = read_secret(value);
    } else {
      throw std::runtime_error(fmt::format("unknown option {}", option));
    }
  }
  if (settings.listen.port == 0 || settings.run.empty()) throw std::runtime_error("--listen and --run are needed");
  if (role == "hooks" && (settings.file.empty() || settings.secret.empty()))
    throw std::runtime_error("hooks needs --file and --secret-file");
  return settings;
}

int tell(const std::string& path, const std::string& text) {
  const Fd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const sockaddr_un any{.sun_family = AF_UNIX, .sun_path = {}};
  bind(fd.number(), reinterpret_cast<const sockaddr*>(&any),
       sizeof any.sun_family);  // a name of its own, for the reply
  const sockaddr_un to = shop::unix_address(path);
  if (sendto(fd.number(), text.data(), text.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to) < 0)
    throw std::runtime_error(fmt::format("{}: {}; is the process running?", path, std::strerror(errno)));
  pollfd watched{fd.number(), POLLIN, 0};
  if (poll(&watched, 1, 1000) != 1)
    throw std::runtime_error(fmt::format("{}: no answer within 1s; is it stopped?", path));
  char reply[256];
  const ssize_t got = recv(fd.number(), reply, sizeof reply, 0);
  const std::string_view said(reply, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  fmt::print("{}\n", said);
  return said.starts_with("error") ? 1 : 0;
}

// All are held until the last is known, so that they differ.
int print_free_ports(const std::string& count) {
  int wanted = 0;
  std::from_chars(count.data(), count.data() + count.size(), wanted);
  std::vector<Fd> held;
  for (int i = 0; i < wanted; ++i) {
    Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof at;
    if (bind(fd.number(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0 ||
        getsockname(fd.number(), reinterpret_cast<sockaddr*>(&at), &length) != 0)
      throw std::runtime_error(fmt::format("no free port on 127.0.0.1: {}", std::strerror(errno)));
    fmt::print("{}\n", ntohs(at.sin_port));
    held.push_back(std::move(fd));
  }
  return 0;
}

int dispatch(const std::vector<std::string>& words) {
  static const std::vector<std::string> kRoles = {"gateway", "order", "payment", "inventory", "hooks"};
  if (words.size() == 2 && words[0] == "ports") return print_free_ports(words[1]);
  if (words.size() == 2 && words[0] == "keeper") {
    shop::keep(words[1]);
    return 0;
  }
  if (words.size() >= 3 && words[0] == "tell")
    return tell(words[1], fmt::format("{}", fmt::join(words.begin() + 2, words.end(), " ")));
  if (words.empty() || std::find(kRoles.begin(), kRoles.end(), words[0]) == kRoles.end()) {
    fmt::print(stderr, "fettle-shop: first say one of {}, keeper, tell, ports\n", fmt::join(kRoles, ", "));
    return 2;
  }
  Process(parse_settings(words[0], {words.begin() + 1, words.end()})).run();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return dispatch({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    fmt::print(stderr, "fettle-shop: {}\n", error.what());
    return 1;
  }
}
