// The commands that change something: what they ask of the agent, what they print, and their exit codes.
#include <doctest/doctest.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"
#include "fakes/local_server.h"
#include "fakes/temporary_folder.h"
#include "unit/cli/command_line.h"

namespace {

// An agent whose admin socket answers all requests so.
class Agent {
 public:
  explicit Agent(const std::string& body, const std::string& status = "200 OK")
      : server_("HTTP/1.1 " + status + "\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
                    "\r\n\r\n" + body,
                fakes::listen_on_unix(socket())) {}
  std::string socket() const { return folder_ / "socket"; }
  Printed run(std::vector<std::string> words) const {
    words.insert(words.end(), {"--admin.socket", socket()});
    return captured([&] { return fettle(words); });
  }
  std::vector<std::string> requests() const { return server_.requests(); }

 private:
  const fakes::TemporaryFolder folder_;
  const fakes::LocalServer server_;
};

std::string success(const std::string& data) { return R"({"status":"success","data":)" + data + "}"; }

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("each command asks for one change and says what is so now") {
  struct Row {
    std::vector<std::string> words;
    std::string answer, asked, out;
  };
  const Row rows[] = {
      {{"reload"}, "null", "POST /-/reload", "the new configuration is running\n"},
      {{"maintenance", "on", "order"},
       "\"\"",
       "POST /api/v1/maintenance/order?on=true&for=&comment=",
       "order is in maintenance: fettle probes it and alerts, and leaves it alone\n"},
      {{"maintenance", "on", "order", "--for", "2h", "--comment", "new disk"},
       "\"step 2 ends first\"",
       "POST /api/v1/maintenance/order?on=true&for=2h&comment=new%20disk",
       "order is in maintenance for 2h: fettle probes it and alerts, and stops acting: step 2 ends first\n"},
      {{"maintenance", "on", "order", "--until-healthy", "10m", "--for", "2h"},
       "\"\"",
       "POST /api/v1/maintenance/order?on=true&for=2h&until_healthy=10m&comment=",
       "order is in maintenance for 2h or until it has been healthy for 10m: fettle probes it and alerts, and leaves "
       "it "
       "alone\n"},
      {{"maintenance", "list"},
       R"({"services":[{"name":"order","maintenance":"alice, until 12:00"},{"name":"payment","maintenance":null}]})",
       "GET /api/v1/services",
       "SERVICE  MAINTENANCE\norder    alice, until 12:00\n"},
      {{"maintenance", "list"},
       R"({"services":[{"name":"order","maintenance":null}]})",
       "GET /api/v1/services",
       "no service is in maintenance\n"},
      {{"maintenance", "off", "order"},
       "null",
       "POST /api/v1/maintenance/order?on=false&for=&comment=",
       "order is out of maintenance\n"},
      {{"recover", "order", "--comment", "alice & bob"},
       "\"the plan of order starts\"",
       "POST /api/v1/recover/order?dry_run=false&comment=alice%20%26%20bob",
       "the plan of order starts\n"},
      {{"recover", "--dry-run", "order"},
       "\"it would restart order\"",
       "POST /api/v1/recover/order?dry_run=true&comment=",
       "it would restart order\n"},
      {{"recover", "order", "-o", "json"},
       "\"the plan of order starts\"",
       "POST /api/v1/recover/order?dry_run=false&comment=",
       "{\"status\":\"success\",\"data\":\"the plan of order starts\"}\n"},
      {{"recover", "abort", "order", "--comment", "alice"},
       "\"order is left alone\"",
       "POST /api/v1/recover/order/abort?comment=alice",
       "order is left alone\n"},
      {{"maintenance", "on", "order", "-o", "json"},
       "\"\"",
       "POST /api/v1/maintenance/order?on=true&for=&comment=",
       "{\"status\":\"success\",\"data\":\"\"}\n"},
      {{"maintenance", "off", "order", "-o", "json"},
       "null",
       "POST /api/v1/maintenance/order?on=false&for=&comment=",
       "{\"status\":\"success\",\"data\":null}\n"},
      {{"reload", "-o", "json"}, "null", "POST /-/reload", "{\"status\":\"success\",\"data\":null}\n"},
      {{"ack", "order", "--comment", "disk replaced"},
       "null",
       "POST /api/v1/ack/order?comment=disk%20replaced",
       "order may be recovered again, with its whole budget\n"},
      {{"drill", "run", "order-db", "--comment", "alice"},
       "\"the drill order-db has begun\"",
       "POST /api/v1/drills/order-db/run?comment=alice",
       "the drill order-db has begun\n"},
      {{"drill", "run", "order-hang", "--yes"},
       "\"the drill order-hang has begun\"",
       "POST /api/v1/drills/order-hang/run?yes=true&comment=",
       "the drill order-hang has begun\n"},
      {{"drill", "order", "--fault", "hang", "--yes", "--comment", "alice"},
       "\"the drill hang of order has begun\"",
       "POST /api/v1/drill/order?fault=hang&comment=alice",
       "the drill hang of order has begun\n"},
      {{"standby", "approve", "order", "--comment", "alice"},
       "\"order may go on within 1m\"",
       "POST /api/v1/standbys/order/approve?comment=alice",
       "order may go on within 1m\n"},
      {{"rollout", "order"},
       "\"rollout 4f2a of order has begun\"",
       "POST /api/v1/rollout/order?action=&batch=1&deadline=5m&comment=",
       "rollout 4f2a of order has begun\n"},
      {{"rollout", "order", "--action", "unit_hook:x", "--batch", "25%", "--deadline=1m", "--comment", "alice: 4.2"},
       "\"rollout 4f2a of order has begun\"",
       "POST /api/v1/rollout/order?action=unit_hook%3Ax&batch=25%25&deadline=1m&comment=alice%3A%204.2",
       "rollout 4f2a of order has begun\n"},
      {{"rollout", "order", "--resume", "-o", "json"},
       "\"it goes on\"",
       "POST /api/v1/rollout/order/resume?comment=",
       "{\"status\":\"success\",\"data\":\"it goes on\"}\n"},
      {{"rollout", "order", "--abort", "--comment", "no"},
       "\"it is aborted\"",
       "POST /api/v1/rollout/order/abort?comment=no",
       "it is aborted\n"},
      {{"rollout", "order", "--status"},
       R"({"groups":[{"name":"order","members":[]}]})",
       "GET /api/v1/fleet",
       "there was no rollout of order\n"},
      {{"rollout", "order", "--status"},
       R"({"groups":[{"name":"order","rollout":{"id":"4f2a","state":"running","since":"12:00","started":"12:00",)"
       R"("by":"alice","action":"","batch":1,"round":1,"parts":[{"node":"n1","service":"order","state":"done","since":)"
       R"("12:01"},{"node":"n2","service":"order","state":"waiting","since":"12:00"}]}}]})",
       "GET /api/v1/fleet",
       "rollout 4f2a of order is running since 12:00\n"
       "1 of 2 members are done, 1 at a time, by the first step that restarts them; begun 12:00 by alice\n"
       "NODE  SERVICE  STATE    SINCE  TEXT\n"
       "n1    order    done     12:01  \n"
       "n2    order    waiting         \n"},
      {{"silence", "add", "service=order", "severity!=page", "-a", "alice", "-c", "INC-7"},
       R"({"silenceID":"a-b-c"})",
       "POST "
       "/api/v1/silences?author=alice&comment=INC-7&matcher=service%3Dorder&matcher=severity%21%3Dpage&duration=1h",
       "a-b-c\n"},
      {{"silence", "add", "a=b", "-a", "", "-c", "x", "--start", "2026-11-29T10:00:00Z", "--end", "1800000000"},
       R"({"silenceID":"d"})",
       "POST "
       "/api/v1/silences?author=&comment=x&matcher=a%3Db&duration=1h&start=2026-11-29T10%3A00%3A00Z&end=1800000000",
       "d\n"},
      {{"silence", "expire", "a-b-c"}, "null", "DELETE /api/v1/silence/a-b-c", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.asked);
    const Agent agent(success(row.answer));
    const Printed done = agent.run(row.words);
    CHECK(done.code == 0);
    CHECK(done.out == row.out);
    CHECK(done.err.empty());
    CHECK(agent.requests() == Lines{row.asked});
  }
}

TEST_CASE("a drill of the configuration has a name, and no service or fault beside it") {
  const Agent agent(success("\"no\""));
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"drill", "order", "run", "order-hang", "--yes"},
        std::vector<std::string>{"drill", "--fault", "hang", "run", "order-hang", "--yes"}}) {
    const Printed done = agent.run(words);
    CHECK(done.code == 2);
  }
  CHECK(agent.requests().empty());
}

TEST_CASE("a refusal is told in the agent's words, with exit code 1") {
  const std::string refusal = R"({"status":"error","errorType":"forbidden","error":"changes are made by root only"})";
  const Agent agent(refusal, "403 Forbidden");
  for (const std::vector<std::string>& words :
       {Lines{"reload"}, Lines{"maintenance", "on", "order"}, Lines{"maintenance", "off", "order"},
        Lines{"recover", "order"}, Lines{"recover", "abort", "order"}, Lines{"ack", "order"}, Lines{"rollout", "order"},
        Lines{"rollout", "order", "--resume"}, Lines{"rollout", "order", "--status"},
        Lines{"silence", "add", "a=b", "-c", "x"}, Lines{"silence", "list"}, Lines{"silence", "expire", "a"}}) {
    CAPTURE(words[0]);
    const Printed refused = agent.run(words);
    CHECK(refused.code == 1);
    CHECK(refused.out.empty());
    CHECK(refused.err == "fettle: changes are made by root only\n");
  }
}

TEST_CASE("a line that is wrong asks for nothing") {
  const Agent agent(success("null"));
  const std::string long_comment(base::kCommentLimit + 1, 'x');
  struct Row {
    std::vector<std::string> words;
    int code;
    std::string err;
  };
  const std::string too_long = "fettle: " + base::parse_comment(long_comment).error().text + "\n";
  const Row rows[] = {
      {{"maintenance", "maybe", "order"}, 2, ""},
      {{"maintenance", "on"}, 2, ""},
      {{"maintenance", "list", "order"}, 2, ""},
      {{"recover"}, 2, ""},
      {{"recover", "abort"}, 2, ""},
      {{"recover", "order", "-o", "yaml"}, 2, ""},
      {{"ack"}, 2, ""},
      {{"drill"}, 2, ""},
      {{"standby", "approve"}, 2, ""},
      {{"drill", "run"}, 2, ""},
      {{"drill", "order", "--fault", "flood", "--yes"}, 2, ""},
      {{"drill", "order", "--yes"}, 2, ""},
      {{"rollout"}, 2, ""},
      {{"rollout", "order", "--resume", "--abort"}, 2, ""},
      {{"rollout", "order", "--resume", "--batch", "2"}, 2, ""},
      {{"rollout", "order", "--comment", long_comment}, 2, too_long},
      {{"silence"}, 2, ""},
      {{"silence", "add", "a=b"}, 2, ""},
      {{"silence", "add", "a=b", "-c", "x", "-d", "1h", "--end", "5"}, 2, ""},
      {{"silence", "add", "a~b", "-c", "x"},
       2,
       "fettle: bad matcher a~b (column 2): expected one of =, !=, =~ and !~\n"},
      {{"silence", "add", "a=b", "-c", long_comment}, 2, too_long},
      {{"maintenance", "on", "order", "--comment", long_comment}, 2, too_long},
      {{"recover", "order", "--comment", long_comment}, 2, too_long},
      {{"recover", "abort", "order", "--comment", long_comment}, 2, too_long},
      {{"ack", "order", "--comment", long_comment}, 2, too_long},
  };
  for (const Row& row : rows) {
    CAPTURE(row.words);
    const Printed refused = agent.run(row.words);
    CHECK(refused.code == row.code);
    CHECK(refused.err == row.err);
  }
  CHECK(agent.requests().empty());
}

TEST_CASE("silences are a table, or their ids") {
  const std::string matchers = R"([{"name":"service","value":"or\"der","isRegex":false,"isEqual":true},)"
                               R"({"name":"severity","value":"page|ticket","isRegex":true,"isEqual":false}])";
  const auto silence = [&](const std::string& id, const std::string& state) {
    return R"({"id":")" + id + R"(","status":{"state":")" + state + R"("},"matchers":)" + matchers +
           R"(,"startsAt":"2026-11-29T10:00:00Z","endsAt":"2026-11-29T11:00:00Z","createdBy":"alice",)" +
           R"("comment":"INC-7"})";
  };
  const Agent agent(success(R"({"silences":[)" + silence("a", "active") + "," + silence("b", "expired") + "]}"));
  CHECK(agent.run({"silence", "list"}).out ==
        "ID  MATCHERS                                   STATE   STARTS AT             ENDS AT               "
        "CREATED BY  COMMENT\n"
        "a   service=\"or\\\"der\" severity!~\"page|ticket\"  active  2026-11-29T10:00:00Z  2026-11-29T11:00:00Z  "
        "alice       INC-7\n");
  CHECK(agent.run({"silence", "list", "-q"}).out == "a\n");
  CHECK(agent.run({"silence", "list", "-q", "--expired"}).out == "b\n");
  CHECK(agent.run({"silence", "list", "-o", "json"}).out == "[" + silence("a", "active") + "]\n");
  CHECK(agent.requests() == Lines(4, "GET /api/v1/silences"));
  const Agent calm(success(R"({"silences":[]})"));
  CHECK(calm.run({"silence", "list"}).out == "no silence is active or pending\n");
  CHECK(calm.run({"silence", "list", "--expired"}).out == "no silence expired lately\n");
}

TEST_CASE("all silences that can be ended are, and the exit code tells of the others") {
  const Agent agent(R"({"status":"error","errorType":"not_found","error":"there is no silence"})", "404 Not Found");
  const Printed none = agent.run({"silence", "expire", "a", "b/c"});
  CHECK(none.code == 1);
  CHECK(none.err == "fettle: there is no silence\nfettle: there is no silence\n");
  CHECK(agent.requests() == Lines{"DELETE /api/v1/silence/a", "DELETE /api/v1/silence/b%2Fc"});
}

TEST_CASE("no agent at the socket: the command says so") {
  const fakes::TemporaryFolder folder;
  const std::string socket = folder / "none";
  const Printed none = captured([&] { return fettle({"reload", "--admin.socket", socket}); });
  CHECK(none.code == 3);
  CHECK(none.err.starts_with("fettle: no answer from " + socket + ": "));
  CHECK(none.err.ends_with("; is the agent running?\n"));
}
