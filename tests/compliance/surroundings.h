// What the compliance tests look at: for every probe type a target that is well and one that never answers, on the real
// loop. A new type needs one row in targets() and nothing else.
#pragma once

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>

#include "base/base64.h"
#include "crypto/hmac.h"
#include "fakes/certificates.h"
#include "fakes/local_server.h"
#include "fakes/probe_side.h"
#include "fakes/run_until.h"
#include "fakes/udp_peer.h"
#include "net/tls/tls.h"
#include "probe/registry.h"
#include "probe/run_once.h"

namespace compliance {

using namespace std::chrono_literals;
using namespace std::string_literals;

inline std::size_t open_descriptors() {
  const auto all = std::filesystem::directory_iterator("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

// systemd as a probe sees it: answers for one unit, and is silent about another.
class LocalSystemd final : public os::Systemd {
 public:
  explicit LocalSystemd(loop::Scheduler& scheduler) : scheduler_(scheduler) {}
  loop::Handle watch_unit(const std::string&, std::function<void(const base::Result<os::UnitState>&)>) override {
    return {};
  }
  loop::Handle read_unit(const std::string& unit, base::Instant deadline,
                         std::function<void(base::Result<os::UnitState>)> done) override {
    if (unit == "hung.service")
      return scheduler_.at(deadline, [done] { done(base::fail(base::Kind::timeout, "no answer from systemd")); });
    os::UnitState state;
    state.load = "loaded";
    state.active = "active";
    state.sub = "running";
    state.result = "success";
    state.main_pid = ::getpid();
    return scheduler_.after({}, [done, state] { done(state); });
  }
  loop::Handle run_job(const std::string&, const std::string&, base::Instant,
                       std::function<void(base::Result<std::string>)>) override {
    return {};
  }
  loop::Handle signal_unit(const std::string&, Whom, int, base::Instant, std::function<void(base::Result<>)>) override {
    return {};
  }

 private:
  loop::Scheduler& scheduler_;
};

struct World : fakes::ProbeSide<LocalSystemd> {
  void run_for(base::Duration d) {
    const auto end = loop.now() + d;
    fakes::run_until(loop, [&] { return loop.now() >= end; });
  }
};

struct Target {
  std::string target;
  std::vector<std::string> settings;
};
struct Targets {
  Target healthy;
  std::optional<Target> hole;  // takes what it gets and never answers; none for a type that only looks
  std::string skip{};          // why this machine does not let the type work
};

inline bool may_ping() {
  return base::UniqueFd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP)) ||
         base::UniqueFd(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
}

// What the probes look at: a server that answers, sockets that never do, this very process.
struct Surroundings {
  fakes::LocalServer server{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"};
  fakes::SilentServer silent;
  fakes::LocalServer redis{"+PONG\r\n$13\r\nrole:master\r\n\r\n"};
  fakes::TlsServer tls{fakes::make_certificate({.common_name = "x", .until_seconds = 30 * 86'400})};
  fakes::TcpPeer tls_server{[this](fakes::PeerSocket& socket) {
    const auto ssl = tls.accept(socket);
    socket.wait_for_close();
  }};
  // Trusts everybody, and is a primary.
  fakes::TcpPeer postgres{[](fakes::PeerSocket& socket) {
    socket.read_until("fettle\0\0"s);
    socket.send("R\0\0\0\x08\0\0\0\0Z\0\0\0\5I"s);
    socket.read_until("END\0"s);
    socket.send(
        "D\0\0\0\x10\0\2\0\0\0\1f\0\0\0\1"
        "0Z\0\0\0\5I"s);
    socket.wait_for_close();
  }};
  // Repeats the question, with one record: the same name and type, class IN, TTL 0, 127.0.0.1.
  fakes::TcpPeer names{[](fakes::PeerSocket& socket) {
    std::string query(2 + 12 + 8 + 4 + 11, '\0');
    if (::recv(socket.fd(), query.data(), query.size(), MSG_WAITALL) != static_cast<ssize_t>(query.size())) return;
    std::string answer = query.substr(2, 12 + 8 + 4) + std::string("\xc0\x0c\0\1\0\1\0\0\0\0\0\4\x7f\0\0\1", 16);
    answer.replace(2, 10, std::string("\x81\x80\0\1\0\1\0\0\0\0", 10));
    socket.send(std::string{'\0', static_cast<char>(answer.size())} + answer);
    socket.wait_for_close();
  }};
  // HTTP/2 for one call: settings, and once the request's DATA has ended its stream, headers, a message and trailers.
  fakes::TcpPeer grpc{[](fakes::PeerSocket& socket) {
    socket.send("\0\0\0\4\0\0\0\0\0"s);
    socket.read_until("\0\0\5\0\1\0\0\0\1"s);
    socket.send("\0\0\x14\1\4\0\0\0\1\x88\x0f\x10\x10"s + "application/grpc");
    socket.send("\0\0\7\0\0\0\0\0\1\0\0\0\0\2\x08\1"s);
    socket.send("\0\0\x0f\1\5\0\0\0\1\0\x0bgrpc-status\1"s + "0");
    socket.wait_for_close();
  }};
  // Upgrades, and answers the ping: its eight masked bytes go back as they were.
  fakes::TcpPeer websocket{[](fakes::PeerSocket& socket) {
    const std::string request = socket.read_request();
    const std::string key = request.substr(request.find("Sec-WebSocket-Key: ") + 19, 24);
    socket.send(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: " +
        base::base64_encode(crypto::sha1(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) + "\r\n\r\n");
    std::string ping(2 + 4 + 8, '\0');
    if (::recv(socket.fd(), ping.data(), ping.size(), MSG_WAITALL) != static_cast<ssize_t>(ping.size())) return;
    std::string pong = "\x8a\x08";
    for (std::size_t i = 0; i < 8; ++i) pong += static_cast<char>(ping[6 + i] ^ ping[2 + i % 4]);
    socket.send(pong);
    socket.wait_for_close();
  }};
  // A mail server that likes everything, in its order.
  fakes::TcpPeer smtp{[](fakes::PeerSocket& socket) {
    socket.send("220 x\r\n");
    socket.read_until("EHLO fettle.invalid\r\n");
    socket.send("250 x\r\n");
    socket.read_until("QUIT\r\n");
    socket.send("221 x\r\n");
    socket.wait_for_close();
  }};
  // A broker that knows ApiVersions 0 to 3 and nothing else.
  fakes::TcpPeer kafka{[](fakes::PeerSocket& socket) {
    socket.read_until(
        "\7fettle\2"
        "1\0"s);
    socket.send("\0\0\0\x13\0\0\0\1\0\0\2\0\x12\0\0\0\3\0\0\0\0\0\0"s);
    socket.wait_for_close();
  }};
  // A broker of few words: start, tune, open-ok and close-ok, each when it is due.
  fakes::TcpPeer rabbitmq{[](fakes::PeerSocket& socket) {
    const auto say = [&](const std::string& method) {
      socket.send("\1\0\0\0\0\0"s + static_cast<char>(method.size()) + method + '\xce');
    };
    socket.read_until("AMQP\0\0\x09\1"s);
    say("\0\x0a\0\x0a\0\x09\0\0\0\0\0\0\0\5PLAIN\0\0\0\5en_US"s);
    socket.read_until("\5en_US\xce"s);
    say("\0\x0a\0\x1e\0\0\0\0\0\0\0\0"s);
    socket.read_until("\1/\0\0\xce"s);
    say("\0\x0a\0\x29\0"s);
    socket.read_until("\0\0\0\0\xce"s);
    say("\0\x0a\0\x33"s);
    socket.wait_for_close();
  }};
  // A Docker engine with one container, which runs.
  fakes::TcpPeer engine{
      [](fakes::PeerSocket& socket) {
        socket.read_request();
        socket.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"State\": {\"Status\": \"running\"}}");
      },
      AF_UNIX, engine_path()};
  static std::string engine_path() {
    return (std::filesystem::temp_directory_path() / ("fettle-engine-" + std::to_string(::getpid()))).string();
  }
  fakes::LocalServer consul{"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n[{\"Checks\": []}]"};
  fakes::UdpPeer echo{[](const std::string& datagram) { return datagram; }};
  fakes::UdpPeer mute{[](const std::string&) { return std::string(); }};
  fakes::LocalServer metrics{"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\na 1\n"};
  fakes::LocalServer document{"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"a\": 1}"};
  fakes::LocalServer stub_status{
      "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nActive connections: 1 \nserver accepts handled requests\n 1 1 1 \n"
      "Reading: 0 Writing: 1 Waiting: 0 \n"};
  fakes::LocalServer memcached{"VERSION 1\r\nSTAT uptime 1\r\nSTAT curr_connections 1\r\nSTAT curr_items 0\r\nEND\r\n"};
  fakes::LocalServer haproxy{"Uptime_sec: 1\nCurrConns: 0\n\n# pxname,svname,status,\n"};
  // Lets everybody in, and takes writes.
  fakes::TcpPeer mysql{[](fakes::PeerSocket& socket) {
    socket.send(
        "\x45\0\0\0\x0a"
        "8\0"s +
        std::string(4 + 8, 'x') + "\0\xff\xf7\x2d\2\0\xff\x81\x15"s + std::string(10, '\0') + std::string(12, 'x') +
        "\0mysql_native_password\0"s);
    socket.read_until("password\0"s);
    socket.send("\7\0\0\2\0\0\0\2\0\0\0"s);
    socket.read_until("read_only");
    socket.send(
        "\1\0\0\1\1\6\0\0\2\0\0\0\0\1r\5\0\0\3\xfe\0\0\2\0\2\0\0\4\1"
        "0\5\0\0\5\xfe\0\0\2\0"s);
    socket.wait_for_close();
  }};
  std::string folder = (std::filesystem::temp_directory_path() / "fettle-compliance-XXXXXX").string();

  Surroundings() {
    REQUIRE(::mkdtemp(folder.data()) != nullptr);
    std::ofstream(folder + "/self.pid") << ::getpid() << "\n";
    std::ofstream(folder + "/report") << R"([{"name": "shop", "status": {"code": 0}, "backup": [)"
                                      << R"({"label": "a", "timestamp": {"stop": 4102444800}}]}])";
    // As restic and borg answer.
    write_program("tool",
                  R"(case $1 in snapshots) echo '[{"time": "2099-01-01T00:00:00Z", "short_id": "a"}]';;)"
                  R"( list) ;; *) echo '{"archives": [{"name": "a", "end": "2099-01-01T00:00:00.0"}]}';; esac)");
    write_program("hung", "exec sleep 60");
  }
  ~Surroundings() { std::filesystem::remove_all(folder); }

  void write_program(const std::string& name, const std::string& script) const {
    std::ofstream(folder + "/" + name) << "#!/bin/sh\n" << script << "\n";
    std::filesystem::permissions(folder + "/" + name, std::filesystem::perms{0755});
  }

  std::map<std::string_view, Targets> targets() const {
    const std::string answering = "127.0.0.1:" + std::to_string(server.port());
    const std::string hole = "127.0.0.1:" + std::to_string(silent.port());
    return {
        {"http", {{"http://" + answering + "/", {}}, Target{"http://" + hole + "/", {}}}},
        {"tcp",
         {{answering, {"query_response=[{send: hello}, {expect: '^HTTP'}]"}},
          Target{hole, {"query_response=[{expect: x}]"}}}},
        {"unix", {{silent.unix_path(), {}}, Target{silent.unix_path(), {"query_response=[{expect: x}]"}}}},
        {"exec", {{"[/bin/echo, OK | n=1]", {}}, Target{"[/bin/sleep, '60']", {}}}},
        {"process", {{folder + "/self.pid", {}}, Target{"hung.service", {}}}},
        {"systemd", {{"well.service", {}}, Target{"hung.service", {}}}},
        {"heartbeat", {{"order", {"every=1h"}}, std::nullopt}},
        {"tls", {{tls_server.address(), {"tls_config.insecure_skip_verify=true"}}, Target{hole, {}}}},
        {"listener", {{answering, {}}, std::nullopt}},
        {"sockets", {{std::to_string(server.port()), {}}, std::nullopt}},
        {"connection", {{answering, {}}, std::nullopt}},
        {"file", {{folder + "/self.pid", {}}, std::nullopt}},
        {"disk", {{"/", {"min_available_percent=0", "min_inodes_percent=0", "writable=false"}}, std::nullopt}},
        {"node", {{"", {"min_memory_percent=0"}}, std::nullopt}},
        {"prometheus",
         {{"http://127.0.0.1:" + std::to_string(metrics.port()), {"metrics=[a]"}},
          Target{"http://" + hole, {"metrics=[a]"}}}},
        {"json",
         {{"http://127.0.0.1:" + std::to_string(document.port()), {"values={a: a}"}},
          Target{"http://" + hole, {"values={a: a}"}}}},
        {"nginx", {{"http://127.0.0.1:" + std::to_string(stub_status.port()), {}}, Target{"http://" + hole, {}}}},
        {"memcached", {{"127.0.0.1:" + std::to_string(memcached.port()), {}}, Target{hole, {}}}},
        {"haproxy", {{"127.0.0.1:" + std::to_string(haproxy.port()), {}}, Target{hole, {}}}},
        {"mysql", {{mysql.address(), {"username=fettle"}}, Target{hole, {"username=fettle"}}}},
        {"journey",
         {{"http://" + answering, {"steps=[{name: a, request: {url: /}}, {name: b, always: true, request: {url: /}}]"}},
          Target{"http://" + hole, {"steps=[{name: a, request: {url: /}}]"}}}},
        {"dns",
         {{names.address(), {"query_name=a.test", "transport_protocol=tcp"}},
          Target{hole, {"query_name=a.test", "transport_protocol=tcp"}}}},
        {"postgres", {{postgres.address(), {"username=fettle"}}, Target{hole, {"username=fettle"}}}},
        {"smtp", {{smtp.address(), {}}, Target{hole, {}}}},
        {"kafka", {{kafka.address(), {}}, Target{hole, {}}}},
        {"rabbitmq",
         {{rabbitmq.address(), {"username=fettle", "password=x"}}, Target{hole, {"username=fettle", "password=x"}}}},
        {"grpc", {{grpc.address(), {}}, Target{hole, {}}}},
        {"websocket", {{"ws://" + websocket.address() + "/", {}}, Target{"ws://" + hole + "/", {}}}},
        {"icmp", {{"127.0.0.1", {}}, std::nullopt, may_ping() ? "" : "no CAP_NET_RAW, and ping_group_range forbids"}},
        {"udp", {{echo.address(), {"send=hello"}}, Target{mute.address(), {"send=hello"}}}},
        {"restic",
         {{"/srv/backup", {"password_file=/etc/password", "program=" + folder + "/tool"}},
          Target{"/srv/backup", {"password_file=/etc/password", "program=" + folder + "/hung"}}}},
        {"pgbackrest",
         {{"shop", {"report_file=" + folder + "/report"}}, Target{"shop", {"program=" + folder + "/hung"}}}},
        {"borg",
         {{"/srv/backup", {"program=" + folder + "/tool"}}, Target{"/srv/backup", {"program=" + folder + "/hung"}}}},
        {"container", {{"order-1", {"socket=" + engine_path()}}, Target{"order-1", {"socket=" + silent.unix_path()}}}},
        {"consul",
         {{"order", {"server=127.0.0.1:" + std::to_string(consul.port())}}, Target{"order", {"server=" + hole}}}},
        {"redis", {{"127.0.0.1:" + std::to_string(redis.port()), {}}, Target{hole, {}}}},
    };
  }
};

inline probe::Spec spec_of(const probe::Type& type, const Target& target, base::Millis timeout) {
  auto spec = probe::spec_from_arguments(std::string(type.name), target.target, target.settings);
  if (!spec) FAIL(spec.error().text);
  spec->timeout = timeout;
  return std::move(*spec);
}

}  // namespace compliance
