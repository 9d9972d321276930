// Places behind load balancers other than nginx, without the load balancers.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "config/node.h"
#include "fakes/fake_agent_checks.h"
#include "fakes/fake_loop.h"
#include "fakes/fake_stream.h"
#include "fakes/probe_world.h"
#include "recover/traffic/agent_line.h"
#include "recover/traffic/haproxy_stat.h"
#include "recover/traffic/traffic.h"

using model::Health;
using recover::DesiredState;
using recover::Flow;
using std::chrono::seconds;

namespace {

struct Site {
  explicit Site(const std::string& yaml) {
    std::string pattern = (std::filesystem::temp_directory_path() / "fettle-place-XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
    std::string text = yaml;
    if (const std::size_t at = text.find("@"); at != std::string::npos) text.replace(at, 1, folder);
    config::Errors errors;
    spec = recover::parse_traffic("order", config::Node::parse(text, "f.yml", errors), errors);
    REQUIRE(errors.text() == "");
    adapter = spec->places.at(0)->start({loop, systemd, spawner, dialer, agent_checks}, "order");
  }
  ~Site() { std::filesystem::remove_all(folder); }

  void begin(const DesiredState& to) {
    said.clear();
    handle = adapter->apply(to, loop.now() + seconds{30}, [this](const recover::ApplyResult& t) {
      said = std::string(to_string(t.result)) + ": " + t.text;
      externally_drained = t.externally_drained;
    });
    loop.run_due();
  }
  std::string apply(const DesiredState& to) {
    begin(to);
    return said;
  }
  // HAProxy takes the next connection, is asked `command`, and answers.
  void answers(const std::string& command, const std::string& text) {
    CAPTURE(said);
    REQUIRE(dialer.desk.waiting() == 1);
    fakes::Peer peer(loop);
    net::Connected connected;
    connected.stream = std::make_unique<fakes::FakeStream>(peer);
    answered.push_back(std::move(connected));
    dialer.desk.answer(std::move(answered.back()));
    REQUIRE(peer.written == std::vector<std::string>{command + "\n"});
    if (!text.empty()) peer.say(text);
    peer.close();
    loop.run_due();
  }

  std::string folder;
  fakes::FakeLoop loop;
  fakes::FakeSystemd systemd{loop};
  fakes::FakeSpawner spawner{loop};
  fakes::FakeDialer dialer{loop};
  fakes::FakeAgentChecks agent_checks;
  std::unique_ptr<const recover::TrafficSpec> spec;
  std::unique_ptr<recover::Adapter> adapter;
  std::vector<net::Connected> answered;
  loop::Handle handle;
  std::string said;
  bool externally_drained = false;
};

const DesiredState kDrained{.flow = Flow::drained};
const DesiredState kUp{.health = Health::up};

std::string stat(const std::string& a, const std::string& b) {
  return "# pxname,svname,qcur,scur,status,weight,\norder,a,0," + a + ",\norder,b,0," + b + ",\n\n";
}

}  // namespace

TEST_CASE("what HAProxy's agent-check is told") {
  struct Row {
    DesiredState desired;
    recover::traffic::AgentWords words;
    const char* want;
  };
  const Row rows[] = {
      {{}, {}, "\n"},
      {{.health = Health::up}, {}, "up ready 100%\n"},
      {{.share = 25, .health = Health::up}, {}, "up ready 25%\n"},
      {{.flow = Flow::drained, .health = Health::up}, {}, "drain\n"},
      {{.flow = Flow::drained, .health = Health::down}, {}, "drain\n"},
      {{.flow = Flow::drained}, {"maint", "down"}, "maint\n"},
      {{.health = Health::down}, {}, "down\n"},
      {{.health = Health::down, .text = "http: refused"}, {}, "down # http: refused\n"},
      {{.health = Health::down, .text = "a\nb\r\tc \xc3\xa4"}, {"drain", "fail"}, "fail # a b  c   \n"},
      {{.health = Health::down, .text = "x"}, {"drain", "stopped"}, "stopped # x\n"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.want);
    CHECK(recover::traffic::agent_line(row.desired, row.words) == row.want);
  }
  const DesiredState wordy{.health = Health::down, .text = std::string(500, 'x')};
  CHECK(recover::traffic::agent_line(wordy, {}) == "down # " + std::string(120, 'x') + "\n");
}

TEST_CASE("an agent-check turn is over when everybody who asks was told") {
  Site s("{haproxy_agent: {listen: '127.0.0.1:9199', asked_within: 5s, in_flight: 1s}}");
  CHECK(s.agent_checks.ask("127.0.0.1:9199") == "\n");
  CHECK(s.agent_checks.ask("127.0.0.1:9199", "10.0.0.101") == "\n");
  s.begin(kDrained);
  CHECK(s.agent_checks.ask("127.0.0.1:9199") == "drain\n");
  s.loop.advance(seconds{2});
  CHECK(s.said == "");  // the other one has not asked yet
  CHECK(s.agent_checks.ask("127.0.0.1:9199", "10.0.0.101") == "drain\n");
  s.loop.run_due();
  CHECK(s.said == "");  // requests under way have a second
  s.loop.advance(seconds{1});
  CHECK(s.said == "ok: haproxy agent 127.0.0.1:9199: 2 HAProxies were told 'drain'");
  s.begin(kUp);
  s.loop.advance(seconds{1});
  s.agent_checks.ask("127.0.0.1:9199");
  s.loop.advance(seconds{4});
  CHECK(
      s.said ==
      "failed: haproxy agent 127.0.0.1:9199: 10.0.0.101 has not asked within 5s; is `agent-check` on the server line, "
      "with agent-addr and agent-port of here?");
}

TEST_CASE("an agent-check that nobody asks, or that cannot listen, says so") {
  Site s("{haproxy_agent: {listen: '127.0.0.1:9199'}}");
  s.begin(kUp);
  s.loop.advance(seconds{10});
  CHECK(s.said.starts_with("failed: haproxy agent 127.0.0.1:9199: HAProxy has not asked within 10s") == true);
  const auto second = s.spec->places.at(0)->start({s.loop, s.systemd, s.spawner, s.dialer, s.agent_checks}, "cart");
  std::string said;
  const auto handle =
      second->apply(kUp, s.loop.now() + seconds{30}, [&](const recover::ApplyResult& t) { said = t.text; });
  s.loop.run_due();
  CHECK(said == "cannot listen at 127.0.0.1:9199: in use");
}

TEST_CASE("a keepalived track file has one number while the service is in and another while it is out") {
  Site s("{keepalived: {track_file: @/vip, live: 10, out: -20}}");
  const std::string file = s.folder + "/vip";
  CHECK(s.apply(kUp) == "ok: file " + file + ": '10'");
  CHECK(base::read_file(file).value_or("none") == "10\n");
  CHECK(s.apply({.health = Health::down}) == "ok: file " + file + ": '-20'");
  CHECK(s.apply(kUp) == "ok: file " + file + ": '10'");
  CHECK(s.apply(kDrained) == "ok: file " + file + ": '-20'");
  CHECK(base::read_file(file).value_or("none") == "-20\n");
}

TEST_CASE("a flag file is there while the service is out, or while it is in") {
  for (const bool live : {false, true}) {
    CAPTURE(live);
    Site s(std::string("{file: {path: @/flag, present: ") + (live ? "live" : "drained") + "}}");
    const std::string file = s.folder + "/flag";
    CHECK(s.apply(kUp).starts_with("ok: "));
    CHECK(std::filesystem::exists(file) == live);
    CHECK(s.apply(kDrained).starts_with("ok: "));
    CHECK(std::filesystem::exists(file) != live);
    CHECK(s.apply({.health = Health::down}).starts_with("ok: "));
    CHECK(std::filesystem::exists(file) != live);
  }
  Site lost("{file: {path: /nowhere/at/all/flag}}");
  CHECK(lost.apply(kDrained).starts_with("failed: "));
}

TEST_CASE("HAProxy's statistics are read by the names of their columns") {
  const auto servers = recover::traffic::parse_stat(
      "# pxname,svname,scur,status,last_chk,weight\norder,a,3,UP,\"L7OK, \"\"fine\"\"\",100\norder,b,0,DRAIN "
      "(agent),,0\n"
      "order,c,0,no check,,1\norder,d,1,MAINT (via x/y),,1\norder,e,0,UP "
      "1/3,,0\nother,a,0,UP,,1\norder,f,0,DOWN,,9\n\n",
      "order");
  REQUIRE(servers.has_value());
  REQUIRE(servers->size() == 6);
  std::string seen;
  for (const auto& s : *servers) seen += s.name + (s.is_usable() ? "+" : "-") + (s.is_out() ? "o " : " ");
  CHECK(seen == "a+ b-o c+ d-o e- f- ");
  CHECK((*servers)[0].sessions == 3);
  CHECK(recover::traffic::parse_stat("No such proxy.\n", "order").error().text == "no statistics but: No such proxy.");
  CHECK_FALSE(recover::traffic::parse_stat("# a,b\nc,d\n", "order").has_value());
}

TEST_CASE("a drain over HAProxy's runtime API is over when the server drains and has no session left") {
  Site s("{haproxy: {socket: /run/haproxy/admin.sock, backend: order, server: a}}");
  s.begin(kDrained);
  CHECK(s.dialer.desk.last().unix_path == "/run/haproxy/admin.sock");
  s.answers("show stat -1 4 -1", stat("7,UP,100", "0,UP,100"));
  s.answers("set server order/a state drain", "\n");
  s.answers("show stat -1 4 -1", stat("2,DRAIN,100", "9,UP,100"));
  CHECK(s.said == "");
  s.loop.advance(std::chrono::milliseconds{50});
  s.answers("show stat -1 4 -1", stat("0,DRAIN,100", "9,UP,100"));
  CHECK(s.said == "ok: haproxy order/a is out; 1 of 2 servers usable");
  s.begin(kUp);
  s.answers("show stat -1 4 -1", stat("0,DRAIN,100", "9,UP,100"));
  s.answers("set server order/a state ready", "\n");
  s.answers("show stat -1 4 -1", stat("0,UP,100", "9,UP,100"));
  CHECK(s.said == "ok: haproxy order/a is in (UP); 2 of 2 servers usable");
}

TEST_CASE("HAProxy: the last usable server stays, what others took out is theirs, and what has no effect is undone") {
  Site s("{haproxy: {socket: '127.0.0.1:9999', backend: order, server: a, in_flight: 1s}}");
  s.begin(kDrained);
  CHECK(s.dialer.desk.last().port == 9999);
  s.answers("show stat -1 4 -1", stat("0,UP,100", "0,DOWN,100"));
  CHECK(s.said == "refused: 0 of 2 servers of backend order would be usable and there must be 1; a stays in");
  s.begin(kDrained);
  s.answers("show stat -1 4 -1", stat("0,MAINT,100", "0,UP,100"));
  CHECK(s.said == "ok: haproxy order/a is out already; 1 of 2 servers usable");
  CHECK(s.externally_drained);
  s.begin(kDrained);
  s.answers("show stat -1 4 -1", stat("0,UP,100", "0,UP,100"));
  s.answers("set server order/a state drain", "Permission denied\n\n");
  s.answers("set server order/a state ready", "Permission denied\n\n");
  CHECK(s.said == "failed: haproxy order/a: Permission denied; and it could not be put back: Permission denied");
  s.begin(kDrained);
  s.answers("show stat -1 4 -1", stat("0,UP,100", "0,UP,100"));
  s.answers("set server order/a state drain", "\n");
  s.answers("show stat -1 4 -1", stat("0,UP,100", "0,UP,100"));
  s.answers("set server order/a state ready", "\n");
  CHECK(s.said == "failed: haproxy order/a: HAProxy took the drain, and a is UP all the same; it is in as before");
  s.begin(kDrained);
  s.answers("show stat -1 4 -1", "# pxname,svname,scur,status,weight\norder,x,0,UP,1\n\n");
  CHECK(s.said == "failed: haproxy order/a: backend order has no server a; there are: x");
}

TEST_CASE("HAProxy: a share is set as a weight before the server is back, and the whole weight at the end") {
  Site s("{haproxy: {socket: /h, backend: order, server: a}}");
  s.begin({.share = 10, .health = Health::up});
  s.answers("show stat -1 4 -1", stat("0,DRAIN,100", "0,UP,100"));
  s.answers("set server order/a weight 10%", "\n");
  s.answers("set server order/a state ready", "\n");
  s.answers("show stat -1 4 -1", stat("0,UP,10", "0,UP,100"));
  CHECK(s.said == "ok: haproxy order/a is in with 10 % of its weight (UP); 2 of 2 servers usable");
  s.begin(kUp);
  s.answers("show stat -1 4 -1", stat("0,UP,10", "0,UP,100"));
  s.answers("set server order/a weight 100%", "\n");
  s.answers("set server order/a state ready", "\n");
  s.answers("show stat -1 4 -1", stat("0,UP,100", "0,UP,100"));
  CHECK(s.said == "ok: haproxy order/a is in (UP); 2 of 2 servers usable");
}

TEST_CASE("settings of places have their mistakes named") {
  struct Row {
    const char* yaml;
    const char* want;
  };
  const Row rows[] = {
      {"{}", "f.yml:1:1: services.o.traffic: names no load balancer, such as {nginx: {upstream: …, file: …, self: …}}"},
      {"{haproxy: {socket: here, backend: b, server: s}}",
       "f.yml:1:20: services.o.traffic.haproxy.socket: must be an absolute path or host:port"},
      {"{haproxy: {socket: /s, backend: 'b;', server: s}}",
       "f.yml:1:33: services.o.traffic.haproxy.backend: must be a name of letters, digits and -_.:"},
      {"{haproxy_agent: {listen: here}}",
       "f.yml:1:26: services.o.traffic.haproxy_agent.listen: must be address:port, :port or unix:/path, such as "
       "10.0.0.11:9199"},
      {"{keepalived: {track_file: /f, out: 300}}",
       "f.yml:1:36: services.o.traffic.keepalived.out: must be from -254 to 254"},
      {"{keepalived: {track_file: /f, out: 0}}",
       "f.yml:1:36: services.o.traffic.keepalived.out: must not be the number of live"},
      {"{file: {path: f}}", "f.yml:1:15: services.o.traffic.file.path: must be an absolute path"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.yaml);
    config::Errors errors;
    CHECK(recover::parse_traffic("o", config::Node::parse(row.yaml, "f.yml", errors), errors) == nullptr);
    CHECK((errors.empty() ? "" : errors.lines().front()) == row.want);
  }
  for (const recover::TrafficType* type : recover::traffic_types()) {
    CAPTURE(type->name);
    config::Errors errors;
    const auto spec =
        recover::parse_traffic("o", config::Node::parse(std::string(type->example), "f.yml", errors), errors);
    CHECK(errors.text() == "");
    CHECK(spec != nullptr);
    CHECK_FALSE(type->summary.empty());
    CHECK_FALSE(type->reference().empty());
  }
}
