// What the commands say when something else than an agent answers: one sentence and an exit code, whatever the answer
// is.
#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include "base/terminal.h"
#include "cli/answer.h"
#include "cli/audit_log.h"
#include "cli/incidents.h"
#include "cli/query.h"
#include "cli/rule_debug.h"
#include "cli/status.h"
#include "fakes/local_server.h"
#include "fakes/temporary_folder.h"
#include "unit/cli/command_line.h"

namespace {

std::string answer_with(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string success(const std::string& data) { return R"({"status":"success","data":)" + data + "}"; }

const std::vector<std::string>& wrong_answers() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> out = {"",
                                    "{}",
                                    "[]",
                                    "null",
                                    "5",
                                    "\"text\"",
                                    "<html>proxy</html>",
                                    R"({"status":"success"})",
                                    R"({"status":"error","data":{}})",
                                    R"({"status":5,"data":{}})"};
    for (const char* data :
         {"{}",
          "[]",
          "[1]",
          "5",
          "true",
          R"({"services":{}})",
          R"({"services":[1]})",
          R"({"services":[{}]})",
          R"({"services":[{"name":5,"health":"up"}]})",
          R"({"services":[{"name":"a","health":"up"}]})",
          R"({"services":[{"name":"a","health":"up","recovery":[],"probes":[]}]})",
          R"({"services":[{"name":"a","health":"up","recovery":{},"probes":{"a":1}}]})",
          R"({"alerts":null})",
          R"({"alerts":[{"state":"firing"}]})",
          R"({"alerts":[{"state":"firing","labels":[1],"annotations":{}}]})",
          R"({"alerts":[{"state":"firing","labels":{"a":1},"annotations":{}}]})",
          R"({"explanation":[1],"service":{}})",
          R"({"explanation":[],"service":{}})",
          R"({"explanation":[],"service":null})",
          R"({"resultType":"vector"})",
          R"({"resultType":"scalar","result":[]})",
          R"({"resultType":"vector","result":[{"metric":{}}]})",
          R"({"resultType":"vector","result":[{"metric":{},"value":[1]}]})",
          R"({"resultType":"vector","result":[{"metric":{"a":1},"value":[1,"1"]}]})",
          R"({"resultType":"matrix","result":[{"metric":{},"values":[[1e300,"1"]]}]})",
          R"({"resultType":"matrix","result":[{"metric":{},"values":[[]]}]})",
          R"({"resultType":"other","result":[]})",
          R"({"groups":[{}]})",
          R"({"groups":[{"rules":[5]}]})",
          R"({"groups":[{"rules":[{"name":"Down","lastEvaluation":"2026-11-24T03:00:30Z","duration":1e300}]}]})",
          R"({"groups":[{"rules":[{"name":"Down","lastEvaluation":"2026-11-24T03:00:30Z"}]}]})",
          R"({"store":5,"groups":[]})",
          R"({"store":"etcd","groups":[{"members":[{"node":5}]}]})",
          R"({"entries":{}})",
          R"({"entries":[{}]})",
          R"({"entries":[{"number":"x","atMs":0,"kind":"change"}]})",
          R"({"entries":[{"number":1,"atMs":0,"kind":"other"}]})",
          R"({"silences":{}})",
          R"({"silences":[{}]})",
          R"({"silences":[{"id":"a","status":[],"matchers":[]}]})",
          R"({"silences":[{"id":"a","status":{"state":"active"},"matchers":[1]}]})",
          R"({"silenceID":[]})"})
      out.push_back(success(data));
    return out;
  }();
  return all;
}

struct Command {
  const char* name;
  int code;
  std::function<int(const std::string& where)> run;
  bool has_data = true;  // of a good answer; else only its status counts
  bool names = false;    // something: a list without it is no wrong answer, but a wrong name (2)
};

std::function<int(const std::string&)> changes(const std::vector<std::string>& words) {
  return [words](const std::string& socket) {
    std::vector<std::string> line = words;
    line.insert(line.end(), {"--admin.socket", socket});
    return fettle(line);
  };
}

}  // namespace

TEST_CASE("no wrong answer ends a command that reads in anything but its exit code") {
  const std::vector<Command> commands = {
      {"status", 3,
       [](const std::string& url) {
         return cli::run_status({url, false}, {});
       }},
      {"status SERVICE", 3,
       [](const std::string& url) {
         return cli::run_status({url, false}, {"order"});
       },
       true, true},
      {"status json", 3,
       [](const std::string& url) {
         return cli::run_status({url, true}, {});
       }},
      {"alerts", 3,
       [](const std::string& url) {
         return cli::run_alerts({url, false});
       }},
      {"fleet", 3,
       [](const std::string& url) {
         return cli::run_fleet({url, false});
       }},
      {"explain", 3,
       [](const std::string& url) {
         return cli::run_explain({url, false}, "order");
       }},
      {"incidents", 3,
       [](const std::string& url) {
         return cli::run_incidents({url, false}, "");
       }},
      {"incident", 3,
       [](const std::string& url) {
         return cli::run_incident({url, false}, "inc_1");
       }},
      {"audit-log", 3,
       [](const std::string& url) {
         return cli::run_audit_log({url, false}, "", 0);
       }},
      {"query", 3,
       [](const std::string& url) {
         return cli::run_query({url, "", "", "", "", "", "up", 3, cli::Output::table});
       }},
      {"recoveries", 3,
       [](const std::string& url) {
         return cli::run_recoveries({url, false}, "");
       }},
      {"rules debug", 3,
       [](const std::string& url) { return cli::run_rule_debug(url, "Down", base::OutputForm::text); }, true, true},
  };
  for (const std::string& answer : wrong_answers()) {
    CAPTURE(answer);
    const fakes::LocalServer server(answer_with(answer));
    for (const Command& command : commands) {
      CAPTURE(command.name);
      const int code = command.run("http://127.0.0.1:" + std::to_string(server.port()));
      if (command.names && code == 2) continue;
      CHECK(code == command.code);
    }
  }
}

TEST_CASE("no wrong answer is taken for a change that was made") {
  const std::vector<Command> commands = {
      {"reload", 3, changes({"reload"}), false},
      {"maintenance on", 3, changes({"maintenance", "on", "order"})},
      {"maintenance off", 3, changes({"maintenance", "off", "order"}), false},
      {"recover", 3, changes({"recover", "order"})},
      {"recover json", 3, changes({"recover", "order", "--dry-run", "-o", "json"})},
      {"abort", 3, changes({"recover", "abort", "order"})},
      {"ack", 3, changes({"ack", "order"}), false},
      {"rollout", 3, changes({"rollout", "order"})},
      {"silence add", 3, changes({"silence", "add", "a=b", "--comment", "why"})},
      {"silence list", 3, changes({"silence", "list"})},
      {"silence expire", 3, changes({"silence", "expire", "id"}), false},
  };
  const fakes::TemporaryFolder folder;
  const std::string socket = folder / "socket";
  for (const std::string& answer : wrong_answers()) {
    CAPTURE(answer);
    const fakes::LocalServer server(answer_with(answer), fakes::listen_on_unix(socket));
    const bool success = answer.find(R"("status":"success")") != std::string::npos;
    for (const Command& command : commands) {
      CAPTURE(command.name);
      if (command.has_data || !success) CHECK(command.run(socket) == command.code);
    }
  }
}

TEST_CASE("a wrong answer is said in one sentence, with what to do") {
  const auto read = cli::read_answer("http://h", [] { return base::Result<int>(cli::list_of({}, "a").size()); });
  REQUIRE_FALSE(read.has_value());
  CHECK(read.error().text ==
        "http://h does not answer as an agent does: is that its address (--url) or its socket (--admin.socket), and no "
        "proxy or other program in its place?");
}

TEST_CASE("what a command prints cannot steer a terminal, and keeps its own colours") {
  CHECK(base::for_terminal("a\x1b[2J\r\u202e\x07\n\tb") == "a\\x1b[2J\\r\\u202e\\x07\n\tb");
  CHECK(base::for_terminal("\x1b[32mforeign") == "\\x1b[32mforeign");
  const std::string painted = base::paint("good", base::Tone::good, base::Colour::always);
  CHECK(base::for_terminal(painted + "\x1b]0;x") == painted + "\\x1b]0;x");
}
