// redis: what is asked, how answers are judged, and the real server where it is installed.
#include <doctest/doctest.h>

#include <cstdint>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

#include "fakes/probe_trial.h"
#include "fakes/real_server.h"
#include "fakes/tcp_peer.h"
#include "http/http_client.h"
#include "net/resolver.h"

namespace {

using namespace std::chrono_literals;
using model::Reason;

std::string bulk(const std::string& text) { return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n"; }

const std::string kMaster = bulk("# Replication\r\nrole:master\r\nconnected_slaves:1\r\n");

std::string replica(const std::string& link, std::int64_t last_io) {
  return bulk("# Replication\r\nrole:slave\r\nmaster_host:10.0.0.7\r\nmaster_port:6379\r\nmaster_link_status:" + link +
              "\r\nmaster_last_io_seconds_ago:" + std::to_string(last_io) +
              "\r\nmaster_link_down_since_seconds:12\r\nconnected_slaves:0\r\n");
}

}  // namespace

TEST_CASE("redis asks everything at once and measures the answers, however they are cut") {
  fakes::ConnectedTrial trial(
      "redis", "redis:6379", {"password=secret", "username=probe", "database=3", "lists=[orders]", "streams=[events]"});
  trial.connect();
  REQUIRE(trial.peer.written.size() == 1);
  CHECK(trial.peer.written[0] ==
        "*3\r\n$4\r\nAUTH\r\n$5\r\nprobe\r\n$6\r\nsecret\r\n*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nINFO\r\n$"
        "11\r\nreplication\r\n"
        "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n*2\r\n$4\r\nLLEN\r\n$6\r\norders\r\n*2\r\n$4\r\nXLEN\r\n$6\r\nevents\r\n");
  const std::string answers = "+OK\r\n+PONG\r\n" + kMaster + "+OK\r\n:17\r\n:5\r\n";
  for (const char c : answers) {
    CHECK(trial.answers == 0);
    trial.peer.say(std::string(1, c));
  }
  REQUIRE(trial.answers == 1);
  CHECK(trial.found.up);
  CHECK(trial.found.text == "redis:6379 is a master");
  CHECK(trial.measured("probe_redis_loading") == 0);
  CHECK(trial.measured("probe_redis_role_info", "role", "master") == 1);
  CHECK(trial.measured("probe_redis_connected_replicas") == 1);
  CHECK(trial.measured("probe_redis_list_length", "key", "orders") == 17);
  CHECK(trial.measured("probe_redis_stream_length", "key", "events") == 5);
  CHECK(trial.measured("probe_ip_protocol") == 4);
}

TEST_CASE("redis measures how far its replicas are, and whether writes wait for them") {
  fakes::ConnectedTrial trial("redis", "redis:6379");
  trial.connect();
  trial.peer.say("+PONG\r\n" +
                 bulk("# Replication\r\nrole:master\r\nconnected_slaves:2\r\nmin_slaves_good_slaves:1\r\n"
                      "slave0:ip=10.0.0.8,port=6379,state=online,offset=900,lag=0\r\n"
                      "slave1:ip=10.0.0.9,port=6379,state=wait_bgsave,offset=0,lag=0\r\nmaster_repl_offset:1000\r\n"));
  REQUIRE(trial.answers == 1);
  CHECK(trial.measured("probe_redis_replication_offset_bytes") == 1000);
  CHECK(trial.measured("probe_redis_good_replicas") == 1);
  CHECK(trial.measured("probe_redis_replica_online", "replica", "10.0.0.8:6379") == 1);
  CHECK(trial.measured("probe_redis_replica_online", "replica", "10.0.0.9:6379") == 0);
  CHECK(trial.measured("probe_redis_replica_lag_bytes", "replica", "10.0.0.8:6379") == 100);
  CHECK(trial.measured("probe_redis_replica_lag_bytes", "replica", "10.0.0.9:6379") == 1000);

  fakes::ConnectedTrial copying("redis", "redis:6379");
  copying.connect();
  copying.peer.say("+PONG\r\n" +
                   bulk("# Replication\r\nrole:slave\r\nmaster_host:10.0.0.7\r\nmaster_port:6379\r\n"
                        "master_link_status:down\r\nmaster_sync_in_progress:1\r\nslave_repl_offset:1\r\n"));
  REQUIRE(copying.answers == 1);
  CHECK(copying.measured("probe_redis_replication_sync_in_progress") == 1);
  CHECK(copying.measured("probe_redis_replication_offset_bytes") == 1);
}

TEST_CASE("redis judges what it hears") {
  struct Row {
    const char* name;
    std::vector<std::string> settings;
    std::string answer;
    Reason reason;
    const char* text;  // after the target; "" when up
  };
  const std::string pong = "+PONG\r\n";
  for (const Row& row : {
           Row{"a master", {}, pong + kMaster, Reason::none, ""},
           Row{"a replica that is one", {"role=replica"}, pong + replica("up", 1), Reason::none, ""},
           Row{"a replica whose link may be down", {}, pong + replica("down", -1), Reason::none, ""},
           Row{"no right to INFO", {}, pong + "-NOPERM this user has no permissions\r\n", Reason::none, ""},
           Row{"no right to INFO, but a wish",
               {"role=master"},
               pong + "-NOPERM no\r\n",
               Reason::auth_failed,
               "INFO was refused: NOPERM no"},
           Row{"loading",
               {},
               "-LOADING Redis is loading the dataset in memory\r\n",
               Reason::status_mismatch,
               "is still loading its data: LOADING Redis is loading the dataset in memory"},
           Row{"no password given",
               {},
               "-NOAUTH Authentication required.\r\n",
               Reason::auth_failed,
               "wants a password; give password_file: NOAUTH Authentication required."},
           Row{"wrong password",
               {"password=x"},
               "-WRONGPASS invalid\r\n",
               Reason::auth_failed,
               "AUTH was refused: WRONGPASS invalid"},
           Row{"a password nobody wants",
               {"password=x"},
               "-ERR AUTH <password> called without any password\r\n",
               Reason::auth_failed,
               "AUTH was refused: ERR AUTH <password> called without any password"},
           Row{"protected",
               {},
               "-DENIED Redis is running in protected mode\r\n",
               Reason::auth_failed,
               "PING was refused: DENIED Redis is running in protected mode"},
           Row{"full",
               {"password=x"},
               "-ERR max number of clients reached\r\n",
               Reason::status_mismatch,
               "AUTH was answered with: ERR max number of clients reached"},
           Row{"cannot save",
               {},
               "-MISCONF Errors writing to disk\r\n",
               Reason::status_mismatch,
               "PING was answered with: MISCONF Errors writing to disk"},
           Row{"another role",
               {"role=master"},
               pong + replica("up", 1),
               Reason::status_mismatch,
               "is a replica, not a master"},
           Row{"link down",
               {"role=replica"},
               pong + replica("down", -1),
               Reason::status_mismatch,
               "has no link to its master 10.0.0.7:6379 since 12s"},
           Row{"master silent",
               {"max_last_io=10s"},
               pong + replica("up", 11),
               Reason::too_slow,
               "last heard from its master 10.0.0.7:6379 11s ago; max_last_io is 10s"},
           Row{"master not heard since the world began",
               {"max_last_io=10s"},
               pong + replica("up", std::numeric_limits<std::int64_t>::max()),
               Reason::too_slow,
               "last heard from its master 10.0.0.7:6379 9223372036854775807s ago; max_last_io is 10s"},
           Row{"master heard", {"max_last_io=10s"}, pong + replica("up", 10), Reason::none, ""},
           Row{"too few replicas",
               {"min_replicas=2"},
               pong + kMaster,
               Reason::status_mismatch,
               "has 1 of the 2 replicas that it must have"},
           Row{"stale reads refused",
               {"lists=[a]"},
               pong + replica("down", -1) + "-MASTERDOWN Link with MASTER is down\r\n",
               Reason::status_mismatch,
               "has lost its master and gives no stale data: MASTERDOWN Link with MASTER is down"},
           Row{"long list",
               {"lists=[a]", "max_length=5"},
               pong + kMaster + ":6\r\n",
               Reason::queue_saturated,
               "has 6 entries in the list a; max_length is 5"},
           Row{"list at its limit", {"lists=[a]", "max_length=5"}, pong + kMaster + ":5\r\n", Reason::none, ""},
           Row{"not a list",
               {"lists=[a]"},
               pong + kMaster + "-WRONGTYPE no list\r\n",
               Reason::status_mismatch,
               "LLEN was answered with: WRONGTYPE no list"},
           Row{"another protocol",
               {},
               "HTTP/1.1 400 Bad Request\r\n",
               Reason::protocol_error,
               "does not speak Redis' protocol"},
           Row{"a bulk of no size", {}, pong + "$x\r\n", Reason::protocol_error, "does not speak Redis' protocol"},
           Row{"another pong", {}, "+HELLO\r\n", Reason::protocol_error, "answered PING with 'HELLO'"},
       }) {
    CAPTURE(row.name);
    fakes::ConnectedTrial trial("redis", "redis:6379", row.settings);
    trial.connect();
    trial.peer.say(row.answer);
    REQUIRE(trial.answers == 1);
    CHECK(trial.found.reason == row.reason);
    if (row.reason != Reason::none) CHECK(trial.found.text == "redis:6379 " + std::string(row.text));
  }
}

TEST_CASE("redis that closes early or never stops fails") {
  fakes::ConnectedTrial early("redis", "redis:6379");
  early.connect();
  early.peer.say("+PO");
  early.peer.close();
  CHECK(early.found.reason == Reason::closed_early);

  fakes::ConnectedTrial endless("redis", "redis:6379");
  endless.connect();
  endless.peer.say("+" + std::string(70'000, 'x'));
  CHECK(endless.found.reason == Reason::too_large);

  fakes::ConnectedTrial poor("redis", "redis:6379", {"password_file=/nonexistent/password"});
  poor.connect();
  CHECK(poor.found.reason == Reason::agent_overloaded);
  CHECK(poor.found.text.find("/nonexistent/password") != std::string::npos);
  CHECK(poor.peer.written.empty());
}

TEST_CASE("redis understands the real server") {
  const std::string program = fakes::find_program("redis-server");
  if (program.empty()) {
    MESSAGE("skipped: redis-server is not installed (apt-get install redis-server)");
    return;
  }
  const fakes::TemporaryFolder folder;
  const std::string at = folder.path(), socket = at + "/redis.sock";
  std::ofstream(at + "/password") << "open sesame\n";
  std::string over_tcp;
  fakes::RealServer server([&](fakes::RealServer& s) {
    const std::string port = std::to_string(fakes::TcpPeer::dead_port());
    over_tcp = "127.0.0.1:" + port;
    s.run({program, "--port", port, "--bind", "127.0.0.1", "--unixsocket", socket, "--save", "", "--dir", at,
           "--daemonize", "no", "--requirepass", "open sesame"},
          at + "/log");
  });
  fakes::RealProbes probes;
  const std::string login = "password_file=" + at + "/password";
  // The unix socket comes after the port.
  REQUIRE(server.until_up([&] { return probes.run("redis", socket, {login}); }).up);
  for (const std::string& target : {socket, over_tcp}) {
    CAPTURE(target);
    const auto up = probes.run("redis", target, {login, "role=master", "lists=[orders]", "streams=[events]"});
    CHECK(up.text == target + " is a master");
    CHECK(up.up);
  }
  CHECK(probes.run("redis", over_tcp, {}).reason == Reason::auth_failed);
  CHECK(probes.run("redis", over_tcp, {"password=wrong"}).reason == Reason::auth_failed);
  const auto wrong_role = probes.run("redis", over_tcp, {login, "role=replica"});
  CHECK(wrong_role.reason == Reason::status_mismatch);
  CHECK(wrong_role.text == over_tcp + " is a master, not a replica");
}
