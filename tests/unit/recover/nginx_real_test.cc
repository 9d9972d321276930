// The nginx of this machine, with a prefix of its own and without root: two backends behind an upstream whose file
// fettle owns, all on unix sockets. Skipped, and said so, where there is no nginx.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "base/file.h"
#include "base/unique_fd.h"
#include "fakes/run_until.h"
#include "os/subprocess.h"
#include "os/systemd/systemd.h"
#include "recover/traffic/nginx.h"

using recover::Flow;
using std::chrono::seconds;

namespace {

constexpr const char* kNginx = "/usr/sbin/nginx";

bool have_nginx() {
  if (::access(kNginx, X_OK) == 0) return true;
  MESSAGE("skipped: there is no " << kNginx << " here");
  return false;
}

class RealNginx {
 public:
  RealNginx() {
    std::string pattern = (std::filesystem::temp_directory_path() / "fettle-nginx-XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
    settings.upstream = "order";
    settings.file = folder + "/order.servers";
    settings.self = "unix:" + folder + "/a.sock";
    settings.peers = {{.address = "unix:" + folder + "/b.sock"}};
    settings.test = argv({"-t"});
    settings.reload = argv({"-s", "reload"});
    settings.pid_file = folder + "/nginx.pid";
    write("order.servers", "server " + settings.self + ";\nserver " + settings.peers[0].address + ";\n");
    write("nginx.conf", configuration());
    const auto started = run(argv({}));
    REQUIRE_MESSAGE(started.exit_code == 0, started.err);
    REQUIRE(fakes::run_until(loop, [&] { return !ask().empty(); }));
  }
  ~RealNginx() {
    const auto pid = base::read_file(settings.pid_file);
    const pid_t master = pid ? static_cast<pid_t>(std::strtol(pid->c_str(), nullptr, 10)) : 0;
    if (master > 1) {
      ::kill(master, SIGTERM);
      // It removes its pid file when it ends; the process itself may be left as a zombie of whoever adopted it.
      fakes::run_until(loop, [&] { return ::access(settings.pid_file.c_str(), F_OK) != 0; });
    }
    // A worker that is still ending removes its sockets at the same time.
    fakes::run_until(loop, [&] {
      std::error_code error;
      std::filesystem::remove_all(folder, error);
      return !std::filesystem::exists(folder, error);
    });
  }

  void write(const std::string& name, const std::string& text) const {
    REQUIRE(base::write_file_atomically(folder + "/" + name, text));
  }
  std::string servers() const { return base::read_file(settings.file).value_or("none"); }

  recover::ApplyResult apply(Flow to) {
    std::optional<recover::ApplyResult> result;
    const auto handle = nginx.apply(settings, {.flow = to}, "order", loop.now() + seconds{10},
                                    [&](recover::ApplyResult r) { result = std::move(r); });
    fakes::run_until(
        loop, [&] { return result.has_value(); }, seconds{20});
    return result.value_or(recover::ApplyResult{model::ActionStatus::none, "no answer"});
  }

  // Which backends answered ten requests: "ab", "b", "a"; other answers are kept as they are.
  std::string seen() const {
    std::string out;
    for (int i = 0; i < 10; ++i)
      if (const std::string body = ask(); out.find(body) == std::string::npos) out += body;
    std::sort(out.begin(), out.end());
    return out;
  }

  std::string folder;
  recover::traffic::NginxUpstream settings;
  loop::EventLoop loop;
  os::Subprocesses spawner{loop};
  os::SdBusSystemd systemd{loop, "unix:path=/nowhere"};
  recover::traffic::Nginx nginx{loop, systemd, spawner};

 private:
  std::vector<std::string> argv(std::vector<std::string> more) const {
    std::vector<std::string> out{kNginx, "-p", folder, "-c", folder + "/nginx.conf", "-e", folder + "/error.log"};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  std::string configuration() const {
    std::string text = ::geteuid() == 0 ? "user root;\n" : "";
    text += "worker_processes 1;\npid " + folder + "/nginx.pid;\nevents {}\nhttp {\naccess_log off;\n";
    for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
      text += std::string(kind) + "_temp_path " + folder + "/" + kind + ";\n";
    text += "upstream order { include " + settings.file + "; }\n";
    text += "server { listen unix:" + folder + "/front.sock; location / { proxy_pass http://order; } }\n";
    for (const char* name : {"a", "b"})
      text += "server { listen unix:" + folder + "/" + name + ".sock; return 200 " + name + "; }\n";
    return text + "}\n";
  }
  os::Finished run(std::vector<std::string> command) {
    std::optional<os::Finished> end;
    os::Command c;
    c.argv = std::move(command);
    c.leftovers = os::Leftovers::kept;
    const auto handle =
        spawner.spawn(std::move(c), [&](base::Result<os::Finished> f) { end = f ? std::move(*f) : os::Finished{}; });
    fakes::run_until(loop, [&] { return end.has_value(); });
    return end.value_or(os::Finished{});
  }
  // The body of one answer of the front, "" if it does not answer.
  std::string ask() const {
    const base::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = folder + "/front.sock";
    std::memcpy(address.sun_path, path.c_str(), path.size());
    if (::connect(fd.value(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return "";
    const std::string request = "POST / HTTP/1.0\r\nContent-Length: 0\r\n\r\n";
    if (::send(fd.value(), request.data(), request.size(), MSG_NOSIGNAL) < 0) return "";
    std::string answer;
    std::array<char, 1024> buffer;
    for (ssize_t n = 0; (n = ::recv(fd.value(), buffer.data(), buffer.size(), 0)) > 0;)
      answer.append(buffer.data(), static_cast<std::size_t>(n));
    const std::size_t body = answer.find("\r\n\r\n");
    return body == std::string::npos ? answer : answer.substr(body + 4);
  }
};

}  // namespace

TEST_CASE("a real nginx: drain moves the traffic, undrain brings it back") {
  if (!have_nginx()) return;
  RealNginx n;
  CHECK(n.seen() == "ab");
  const auto drained = n.apply(Flow::drained);
  CHECK_MESSAGE(drained.result == model::ActionStatus::ok, drained.text);
  CHECK(fakes::run_until(n.loop, [&] { return n.seen() == "b"; }));
  CHECK(recover::traffic::left_drained(n.settings, "order"));
  const auto live = n.apply(Flow::live);
  CHECK_MESSAGE(live.result == model::ActionStatus::ok, live.text);
  CHECK(fakes::run_until(n.loop, [&] { return n.seen() == "ab"; }));
}

TEST_CASE("a real nginx: the last live server stays, and the other one goes on") {
  if (!have_nginx()) return;
  RealNginx n;
  n.write("order.servers", "server " + n.settings.self + ";\nserver " + n.settings.peers[0].address + " down;\n");
  CHECK(n.apply(Flow::drained).result == model::ActionStatus::refused);
  CHECK(n.servers().find(n.settings.self + ";") != std::string::npos);
}

TEST_CASE("a real nginx: what it refuses is rolled back with its words, and the old workers serve on") {
  if (!have_nginx()) return;
  RealNginx n;
  const std::string before = n.servers();
  for (const bool tested : {true, false}) {
    CAPTURE(tested);
    if (!tested) n.settings.test.clear();  // then the reload itself notices
    n.write("nginx.conf", base::read_file(n.folder + "/nginx.conf").value_or("") + "no_such_directive;\n");
    const auto result = n.apply(Flow::drained);
    CHECK(result.result == model::ActionStatus::failed);
    CHECK(result.text.find("unknown directive \"no_such_directive\"") != std::string::npos);
    CHECK(n.servers() == before);
    CHECK(n.seen() == "ab");
  }
}

TEST_CASE("a real nginx: an agent that died while drained leaves a file from which the next one undrains") {
  if (!have_nginx()) return;
  RealNginx n;
  REQUIRE(n.apply(Flow::drained).result == model::ActionStatus::ok);
  // A crash between the writing of the undrained file and the reload.
  n.write("order.servers.prev", n.servers());
  n.write("order.servers", "server " + n.settings.self + ";\nserver " + n.settings.peers[0].address + ";\n");
  REQUIRE(fakes::run_until(n.loop, [&] { return n.seen() == "b"; }));
  REQUIRE(recover::traffic::left_drained(n.settings, "order"));
  CHECK(n.apply(Flow::live).result == model::ActionStatus::ok);
  CHECK(fakes::run_until(n.loop, [&] { return n.seen() == "ab"; }));
  CHECK_FALSE(recover::traffic::left_drained(n.settings, "order"));
}
