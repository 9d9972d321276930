// The HAProxy of this machine: two backends, its stats socket and its agent-check, on a folder of its own. Skipped, and
// said so, where there is no haproxy.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "base/file.h"
#include "base/unique_fd.h"
#include "config/node.h"
#include "fakes/run_until.h"
#include "net/agent_check_server.h"
#include "net/resolver.h"
#include "net/stream.h"
#include "os/subprocess.h"
#include "os/systemd/systemd.h"
#include "recover/traffic/haproxy_stat.h"
#include "recover/traffic/traffic.h"

using model::Health;
using recover::DesiredState;
using recover::Flow;
using std::chrono::seconds;

namespace {

constexpr const char* kHaproxy = "/usr/sbin/haproxy";

bool have_haproxy() {
  if (::access(kHaproxy, X_OK) == 0) return true;
  MESSAGE("skipped: there is no " << kHaproxy << " here");
  return false;
}

// The servers listen nowhere and are not checked: HAProxy takes them for up.
class RealHaproxy {
 public:
  RealHaproxy() {
    std::string pattern = (std::filesystem::temp_directory_path() / "fettle-haproxy-XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
    const std::string text = "global\n  stats socket " + admin() + " mode 600 level admin\ndefaults\n  mode http\n" +
                             "  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\n" +
                             "frontend order\n  bind unix@" + folder + "/front.sock\n  default_backend order\n" +
                             "backend order\n  server a 127.0.0.1:1 weight 100\n  server b 127.0.0.1:1 weight 100\n";
    REQUIRE(base::write_file_atomically(folder + "/haproxy.cfg", text));
    start();
  }
  ~RealHaproxy() {
    stop();
    std::filesystem::remove_all(folder);
  }
  void start() {
    pid = ::fork();
    if (pid == 0) {
      ::execl(kHaproxy, kHaproxy, "-q", "-db", "-f", (folder + "/haproxy.cfg").c_str(), nullptr);
      ::_exit(127);
    }
    REQUIRE(fakes::run_until(
        loop, [&] { return accepts(); }, seconds{30}));
  }
  // The socket's file is there before HAProxy listens.
  bool accepts() const {
    const base::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    admin().copy(address.sun_path, sizeof address.sun_path - 1);
    return ::connect(fd.value(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  void stop() {
    ::kill(pid, SIGTERM);
    ::waitpid(pid, nullptr, 0);
    ::unlink(admin().c_str());
  }
  std::string look() {
    std::optional<std::string> found;
    const auto handle = adapter->look(loop.now() + seconds{20}, [&](std::string text) { found = std::move(text); });
    fakes::run_until(
        loop, [&] { return found.has_value(); }, seconds{30});
    return found.value_or("no answer");
  }
  std::string admin() const { return folder + "/admin.sock"; }
  void use(const std::string& yaml) {
    config::Errors errors;
    adapter.reset();
    spec = recover::parse_traffic("order", config::Node::parse(yaml, "f.yml", errors), errors);
    REQUIRE(errors.text() == "");
    adapter = spec->places.at(0)->start({loop, systemd, spawner, dialer, lines}, "order");
  }
  recover::ApplyResult apply(const DesiredState& to) {
    std::optional<recover::ApplyResult> result;
    const auto handle =
        adapter->apply(to, loop.now() + seconds{20}, [&](recover::ApplyResult t) { result = std::move(t); });
    fakes::run_until(
        loop, [&] { return result.has_value(); }, seconds{30});
    return result.value_or(recover::ApplyResult{model::ActionStatus::none, "no answer"});
  }
  // What HAProxy says to one command.
  std::string tell(const std::string& command) {
    std::string answer;
    bool ended = false;
    std::unique_ptr<net::Stream> stream;
    net::Dial dial;
    dial.unix_path = admin();
    dial.deadline = loop.now() + seconds{10};
    const auto handle = dialer.connect(std::move(dial), [&](net::Connected connected) {
      stream = std::move(connected.stream);
      if (!stream) {
        ended = true;
        return;
      }
      stream->write(command + "\n", [](const net::StreamFailure*) {});
      stream->read([&](std::string_view bytes, const net::StreamFailure*) {
        answer += bytes;
        ended = ended || bytes.empty();
      });
    });
    fakes::run_until(loop, [&] { return ended; });
    return answer;
  }
  // What a person should know of server a, if fettle wants it to be as `ours`.
  std::string drained_by_people(Flow ours) {
    std::optional<std::string> text;
    const auto handle =
        adapter->ask_drained(ours, loop.now() + seconds{20}, [&](std::string t) { text = std::move(t); });
    fakes::run_until(
        loop, [&] { return text.has_value(); }, seconds{30});
    return text.value_or("no answer");
  }
  // "UP 100": status and weight of server a.
  std::string server_a() {
    const auto servers = recover::traffic::parse_stat(tell("show stat -1 4 -1"), "order");
    if (!servers || servers->empty()) return "none";
    return servers->front().status + " " + std::to_string(servers->front().weight);
  }

  std::string folder;
  pid_t pid = -1;
  loop::EventLoop loop;
  net::AresResolver resolver{loop};
  net::StreamDialer dialer{loop, resolver};
  os::Subprocesses spawner{loop};
  os::SdBusSystemd systemd{loop, "unix:path=/nowhere"};
  net::SocketAgentCheckServer lines{loop};
  std::unique_ptr<const recover::TrafficSpec> spec;
  std::unique_ptr<recover::Adapter> adapter;
};

}  // namespace

TEST_CASE("a real HAProxy that was restarted is drained once more, and a look tells what would not work") {
  if (!have_haproxy()) return;
  RealHaproxy h;
  h.use("{haproxy: {socket: " + h.admin() + ", backend: order, server: a}}");
  CHECK(h.look() == "");
  CHECK(h.apply({.flow = Flow::drained}).result == model::ActionStatus::ok);
  CHECK(h.apply({.flow = Flow::drained}).as_before);
  h.stop();
  h.start();
  CHECK(h.server_a() == "no check 100");
  const auto again = h.apply({.flow = Flow::drained});
  CHECK_MESSAGE(again.result == model::ActionStatus::ok, again.text);
  CHECK_FALSE(again.as_before);
  CHECK(h.server_a().starts_with("DRAIN"));

  h.use("{haproxy: {socket: " + h.admin() + ", backend: order, server: order1}}");
  CHECK(h.look() == "backend order has no server order1; there are: a, b");
  CHECK(h.spec->places[0]->complaint() == "");
  h.use("{haproxy: {socket: " + h.folder + "/none.sock, backend: order, server: a}}");
  CHECK(h.look() != "");
  CHECK(h.spec->places[0]->complaint() == "");
  h.use("{haproxy: {socket: " + h.folder + "/haproxy.cfg, backend: order, server: a}}");
  CHECK(h.spec->places[0]->complaint() == h.folder + "/haproxy.cfg is no socket");
}

TEST_CASE("a real HAProxy: drained, back with a part of its weight, and back with all of it") {
  if (!have_haproxy()) return;
  RealHaproxy h;
  h.use("{haproxy: {socket: " + h.admin() + ", backend: order, server: a}}");
  const auto drained = h.apply({.flow = Flow::drained});
  CHECK_MESSAGE(drained.result == model::ActionStatus::ok, drained.text);
  CHECK_FALSE(drained.externally_drained);
  CHECK(h.server_a().starts_with("DRAIN"));
  const auto some = h.apply({.share = 25, .health = Health::up});
  CHECK_MESSAGE(some.text == "haproxy order/a is in with 25 % of its weight (no check); 2 of 2 servers usable",
                some.text);
  CHECK(h.server_a() == "no check 25");
  CHECK(h.apply({.health = Health::up}).result == model::ActionStatus::ok);
  CHECK(h.server_a() == "no check 100");
}

TEST_CASE("a real HAProxy: the last usable server stays, and what a person took out is not fettle's") {
  if (!have_haproxy()) return;
  RealHaproxy h;
  h.use("{haproxy: {socket: " + h.admin() + ", backend: order, server: a}}");
  h.tell("set server order/b state maint");
  CHECK(h.apply({.flow = Flow::drained}).result == model::ActionStatus::refused);
  CHECK(h.server_a() == "no check 100");
  h.tell("set server order/b state ready; set server order/a state maint");
  CHECK(h.apply({.flow = Flow::drained}).externally_drained);
  h.use("{haproxy: {socket: " + h.admin() + ", backend: order, server: none}}");
  CHECK(h.apply({.flow = Flow::drained}).text ==
        "haproxy order/none: backend order has no server none; there are: a, b");
  h.use("{haproxy: {socket: " + h.admin() + ", backend: none, server: a}}");
  CHECK(h.apply({.flow = Flow::drained}).result == model::ActionStatus::failed);
}

TEST_CASE("a real HAProxy tells what people have taken out, apart from what fettle drained") {
  if (!have_haproxy()) return;
  RealHaproxy h;
  h.use("{haproxy: {socket: " + h.admin() + ", backend: order, server: a}}");
  struct Row {
    const char* command;
    Flow ours;
    std::string text;
  };
  const std::string back = "; to have it back: set server order/a state ready";
  const std::string maintenance = "haproxy order/a is in maintenance, not by fettle" + back;
  const std::string drained = "haproxy order/a is drained, not by fettle" + back;
  for (const Row& row : {
           Row{"", Flow::live, ""},
           Row{"set server order/a state drain", Flow::live, drained},
           Row{"", Flow::drained, ""},
           Row{"set server order/a state maint", Flow::live, maintenance},
           Row{"", Flow::drained, maintenance},
           Row{"set server order/a state ready", Flow::live, ""},
           Row{"set server order/b state maint", Flow::live, ""},
       }) {
    CAPTURE(row.command);
    if (*row.command != '\0') h.tell(row.command);
    CHECK(h.drained_by_people(row.ours) == row.text);
  }
  h.use("{haproxy: {socket: " + h.admin() + ", backend: none, server: a}}");
  CHECK(h.drained_by_people(Flow::live) == "");
  h.use("{haproxy: {socket: " + h.folder + "/nothing, backend: order, server: a}}");
  CHECK(h.drained_by_people(Flow::live) == "");
}

TEST_CASE("a real HAProxy obeys what the agent-check says") {
  if (!have_haproxy()) return;
  RealHaproxy h;
  // A server that is made while HAProxy runs, with the port that the kernel gave: no fixed port in a test.
  int port = 0;
  loop::Handle held;
  for (int candidate = 20'000 + static_cast<int>(::getpid() % 10'000); port == 0; ++candidate) {
    auto served = h.lines.serve("127.0.0.1:" + std::to_string(candidate), [](const std::string&) { return "\n"; });
    if (served) port = candidate;
    if (served) held = std::move(*served);
  }
  held.reset();
  const std::string text =
      "global\n  stats socket " + h.admin() + " mode 600 level admin\ndefaults\n  mode http\n" +
      "  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\nfrontend front\n  bind unix@" + h.folder +
      "/front.sock\n  default_backend order\nbackend order\n" +
      "  server a 127.0.0.1:1 weight 100 agent-check agent-addr 127.0.0.1 agent-port " + std::to_string(port) +
      " agent-inter 50ms agent-send \"order\\n\"\n" + "  server b 127.0.0.1:1 weight 100\n";
  REQUIRE(base::write_file_atomically(h.folder + "/haproxy.cfg", text));
  h.stop();
  h.start();
  h.use("{haproxy_agent: {listen: '127.0.0.1:" + std::to_string(port) + "', in_flight: 0s}}");
  struct Row {
    DesiredState desired;
    const char* want;
  };
  const Row rows[] = {
      {{.health = Health::up}, "no check 100"},
      {{.flow = Flow::drained}, "DRAIN (agent) 100"},
      {{.share = 25, .health = Health::up}, "no check 25"},
      {{.health = Health::down, .text = "http: refused"}, "DOWN (agent) 100"},
      {{}, "DOWN (agent) 100"},  // unknown is no news
      {{.health = Health::up}, "no check 100"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.want);
    const auto applied = h.apply(row.desired);
    CHECK_MESSAGE(applied.result == model::ActionStatus::ok, applied.text);
    std::string seen;
    const std::string want = row.want;
    const bool down = want.starts_with("DOWN");  // with what weight is HAProxy's affair
    const auto holds = [&] { return down ? seen.starts_with("DOWN (agent)") : seen == want; };
    // Each question runs the loop itself, so that it must not be asked inside run_until().
    const base::Instant give_up = h.loop.now() + seconds{20};
    do seen = h.server_a();
    while (!holds() && h.loop.now() < give_up);
    CHECK_MESSAGE(holds(), seen);
  }
}
