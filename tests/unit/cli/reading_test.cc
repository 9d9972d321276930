// Commands that ask the running agent: over which way, as whom, how often, and what they end with.
#include "cli/reading.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "cli/client.h"
#include "cli/exit_code.h"
#include "cli/incidents.h"
#include "cli/times.h"
#include "cli/watch.h"
#include "fakes/local_server.h"
#include "fakes/temporary_folder.h"
#include "unit/cli/command_line.h"

namespace {

std::string answer_with(const std::string& status, const std::string& body) {
  return "HTTP/1.1 " + status + "\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}

std::string success(const std::string& data) {
  return answer_with("200 OK", R"({"status":"success","data":)" + data + "}");
}

std::string url_of(const fakes::LocalServer& server) { return "http://127.0.0.1:" + std::to_string(server.port()); }

constexpr const char* kNoAlerts = R"({"alerts":[]})";

}  // namespace

TEST_CASE("without --url the admin socket is asked, if it is there") {
  const fakes::TemporaryFolder folder;
  const std::string socket = folder / "socket";
  const fakes::LocalServer server(success(kNoAlerts), fakes::listen_on_unix(socket));
  const Printed asked = captured([&] { return fettle({"alerts", "--admin.socket", socket}); });
  CHECK(asked.code == 0);
  CHECK(asked.out == "no alert is pending or firing\n");
  CHECK(server.requests() == std::vector<std::string>{"GET /api/v1/alerts"});
}

TEST_CASE("--url is asked as --http.config.file says, and its password is told to no one else") {
  const fakes::TemporaryFolder folder;
  const std::string file = folder.write("client.yml", "basic_auth: {username: alice, password: abc123xyz}\n");
  const fakes::LocalServer server(success(kNoAlerts));
  const Printed asked = captured([&] {
    return fettle({"alerts", "--url", url_of(server), "--http.config.file", file});
  });
  CHECK(asked.code == 0);

  const fakes::LocalServer other(answer_with("200 OK", "<html>"));
  const std::string url = "http://alice:abc123xyz@127.0.0.1:" + std::to_string(other.port());
  for (const std::vector<std::string>& words : {std::vector<std::string>{"alerts"},
                                                {"status"},
                                                {"incidents"},
                                                {"incident", "a"},
                                                {"recoveries"},
                                                {"fleet"},
                                                {"drills"},
                                                {"dr"},
                                                {"standbys"},
                                                {"query", "up"},
                                                {"rules", "debug", "Down"},
                                                {"explain", "order"},
                                                {"trust", "order"}}) {
    CAPTURE(words[0]);
    std::vector<std::string> line = words;
    line.insert(line.end(), {"--url", url});
    const Printed wrong = captured([&] { return fettle(line); });
    CHECK(wrong.code == cli::kAway);
    CHECK(wrong.err.find("does not answer as an agent does") != std::string::npos);
    CHECK(wrong.err.find("abc123xyz") == std::string::npos);
  }
  const Printed bad = captured([&] {
    return fettle({"alerts", "--url", url_of(server), "--http.config.file", folder.write("bad.yml", "basic: {}\n")});
  });
  CHECK(bad.code == 1);
  CHECK(bad.err.find("bad.yml:1:1: basic: unknown key") != std::string::npos);
}

TEST_CASE("a port that asks for a login is told with the flag that brings one") {
  const fakes::LocalServer server(answer_with("401 Unauthorized", "Unauthorized\n"));
  const Printed refused = captured([&] { return fettle({"alerts", "--url", url_of(server)}); });
  CHECK(refused.code == 1);
  CHECK(refused.err.find("write basic_auth into a file for --http.config.file") != std::string::npos);
}

TEST_CASE("a name that the agent does not know is a mistake of the line") {
  const fakes::LocalServer server(
      answer_with("404 Not Found", R"({"status":"error","error":"no service \"odrer\" here"})"));
  const Printed unknown = captured([&] { return fettle({"explain", "odrer", "--url", url_of(server)}); });
  CHECK(unknown.code == cli::kUsage);
  CHECK(unknown.err == "fettle: no service \"odrer\" here\n");
}

TEST_CASE("recoveries are a table, the newest first") {
  const fakes::LocalServer server(success(
      R"({"recoveries":[{"id":"9f2c","service":"order","trigger":"alert ServiceDown","mode":"enforce",)"
      R"("state":"recovered","reason":"","started":"2026-11-23T06:50:42Z","ended":"2026-11-23T06:50:50Z",)"
      R"("actions":[{"action":"drain","result":"ok","took":0.041},{"action":"verify","result":"","took":2.2}]},)"
      R"({"id":"51be","service":"order","trigger":"alert ServiceDown","mode":"dry_run","state":"blocked",)"
      R"("reason":"dependencies","started":"2026-11-23T04:20:45Z","ended":null,"actions":[]}]})"));
  const Printed list = captured([&] { return fettle({"recoveries", "order", "--url", url_of(server)}); });
  CHECK(list.code == 0);
  CHECK(list.out ==
        "RUN   SERVICE  STARTED               LASTED  MODE     STATE                  WHY                ACTIONS\n"
        "9f2c  order    2026-11-23T06:50:42Z  8s      enforce  recovered              alert ServiceDown  "
        "drain: ok (0.0 s), verify: under way (2.2 s)\n"
        "51be  order    2026-11-23T04:20:45Z  -       dry_run  blocked: dependencies  alert ServiceDown  -\n");
  CHECK(server.requests() == std::vector<std::string>{"GET /api/v1/recoveries?service=order"});
}

TEST_CASE("the id of an incident in the place of a service is that incident") {
  const fakes::LocalServer server(success(R"({"incidents":[],"id":"inc_1","service":"order","timeline":[]})"));
  (void)captured([&] { return fettle({"incidents", "inc_1", "--url", url_of(server)}); });
  CHECK(server.requests() == std::vector<std::string>{"GET /api/v1/incidents", "GET /api/v1/incidents/inc_1"});
}

TEST_CASE("trust is a verdict with its reasons, and exit code 0 only where the plan may act") {
  const auto answer = [](const std::string& verdict) {
    return success(R"({"service":"order","mode":"dry_run","verdict":")" + verdict +
                   R"(","sentence":"wait: 1 thing is to be done or seen first","reasons":[)"
                   R"({"topic":"dry_run","weight":"good","text":"it would have acted once"},)"
                   R"({"topic":"missing","weight":"wait","text":"no receiver\u001b[2J"}],)"
                   R"("ledger":{"since":"2026-11-23T06:50:42Z","faults":3,"attempts":2,"successes":2,"refused":0,)"
                   R"("healthySecondsMedian":4.2,"healthySecondsWorst":31.9,"relapsesWithinHour":0,)"
                   R"("relapsesWithinDay":1,"dryRun":{"itself":1,"person":0,"dependency":0,"held":0,"wouldAct":2,)"
                   R"("newest":["2026-11-23T06:50:42Z (inc_1): healed by itself after 12s"]}}})");
  };
  const fakes::LocalServer server(answer("wait"));
  const Printed wait = captured([&] { return fettle({"trust", "order", "--url", url_of(server)}); });
  CHECK(wait.code == 1);
  CHECK(wait.out ==
        "order: wait\n"
        "wait: 1 thing is to be done or seen first.\n"
        "\n"
        "WEIGHT  ABOUT    WHY\n"
        "good    dry run  it would have acted once\n"
        "wait    missing  no receiver\\x1b[2J\n"
        "\n"
        "since 2026-11-23T06:50:42Z: faults 3; of these healed by themselves 1, by a dependency 0, by a person 0, held "
        "by "
        "a guard 0, it would have acted in 2\n"
        "attempts 2, successes 2, refused 0, healthy after 4s200ms in the median, 31s at the worst, relapses 0 within "
        "an hour, 1 within a day\n"
        "  2026-11-23T06:50:42Z (inc_1): healed by itself after 12s\n");
  CHECK(server.requests() == std::vector<std::string>{"GET /api/v1/trust/order"});
  const fakes::LocalServer on(answer("switch_on"));
  CHECK(captured([&] { return fettle({"trust", "order", "--url", url_of(on)}); }).code == 0);
  const fakes::LocalServer never(answer("do_not"));
  const Printed json = captured([&] { return fettle({"trust", "order", "-o", "json", "--url", url_of(never)}); });
  CHECK(json.code == 1);
  CHECK(json.out.starts_with(R"({"status":"success","data":{"service":"order")"));
  const fakes::LocalServer unknown(answer_with("404 Not Found", R"({"status":"error","error":"no service"})"));
  CHECK(captured([&] { return fettle({"trust", "odrer", "--url", url_of(unknown)}); }).code == cli::kUsage);
}

TEST_CASE("drills and what they say of services are tables, with exit code 1 where something is to be done") {
  const std::string proof =
      R"("proof":{"at":"2026-11-23T02:01:00Z","backup":"4f3c","restoreSeconds":61.5,"dataAgeSeconds":7200,"files":3,"bytes":9})";
  const fakes::LocalServer server(success(
      R"({"drills":[{"name":"db","service":"order","backup":"pgbackrest order","doing":"","result":"verified","text":"3 files",)" +
      proof +
      R"(},{"name":"files","service":"order","backup":"restic /srv/r","doing":"","result":"empty","text":"no file","proof":null}],)"
      R"("faultDrills":[{"service":"order","fault":"hang","doing":"","result":"passed","text":"detected after 2s",)"
      R"("lastSuccess":"2026-11-23T02:01:00Z","stageSeconds":{"detect":2,"recover":9.5}}]})"));
  const Printed list = captured([&] { return fettle({"drills", "order", "--url", url_of(server)}); });
  CHECK(list.code == 1);
  CHECK(list.out ==
        "DRILL  SERVICE  STATE     LAST PROVEN           RESTORE  DATA AGE  WHAT\n"
        "db     order    verified  2026-11-23T02:01:00Z  1m1s     2h        3 files\n"
        "files  order    empty     never                 -        -         no file\n"
        "\n"
        "SERVICE  FAULT  STATE   LAST PASSED           DETECT  RECOVER  WHAT\n"
        "order    hang   passed  2026-11-23T02:01:00Z  2s      9s500ms  detected after 2s\n");
  CHECK(server.requests() == std::vector<std::string>{"GET /api/v1/drills?service=order"});

  const fakes::LocalServer other(success(
      R"({"services":[{"service":"order","standby":{"primary":"a","summary":"a, 1 replica"},"rpoWanted":300,"drill":"db","backup":"pgbackrest order",)" +
      proof +
      R"(,"lastResult":"verified","lastText":"","findings":["rpo_missed"]},{"service":"redis","findings":[]}]})"));
  const Printed rows = captured([&] { return fettle({"dr", "--url", url_of(other)}); });
  CHECK(rows.code == 1);
  CHECK(
      rows.out ==
      "SERVICE  STANDBY       LAST PROMOTION  DRILL  BACKUP            LAST PROVEN           RPO       RTO   FINDINGS\n"
      "order    a, 1 replica  never           db     pgbackrest order  2026-11-23T02:01:00Z  2h of 5m  1m1s  "
      "rpo_missed\n"
      "redis    -             -               -      -                 -                     -         -     -\n");
}

TEST_CASE("standbys are a table of their primaries and one of their servers, with exit code 1 where one is refused") {
  const std::string members =
      R"("members":[{"node":"a","address":"10.0.0.1:6379","state":"primary","offset":12,"text":"timeline 3"}])";
  const auto standby = [&](const std::string& gates) {
    return success(
        R"({"standbys":[{"service":"order","mode":"ask","is":"candidate","move":"none","primary":"a","holder":"","fence":0,)"
        R"("mustRejoin":[],)" +
        members + R"(,"gates":[)" + gates + "]}]}");
  };
  const fakes::LocalServer refused(standby(R"({"name":"cooldown","open":false,"text":"9m are left"})"));
  const Printed list = captured([&] { return fettle({"standbys", "order", "--url", url_of(refused)}); });
  CHECK(list.code == 1);
  CHECK(list.out ==
        "SERVICE  MODE  PRIMARY  SERVER HERE  WHAT\n"
        "order    ask   a        candidate    cooldown: 9m are left\n"
        "\n"
        "SERVICE  NODE  ADDRESS        STATE    OFFSET  DETAIL\n"
        "order    a     10.0.0.1:6379  primary  12      timeline 3\n");
  CHECK(refused.requests() == std::vector<std::string>{"GET /api/v1/standbys?service=order"});
  // That another one is the primary is no refusal.
  const fakes::LocalServer calm(standby(R"({"name":"primary_lease_alive","open":false,"text":"a has the right"})"));
  CHECK(captured([&] { return fettle({"standbys", "--url", url_of(calm)}); }).code == 0);
}

TEST_CASE("--watch shows again and again, and ends with the last exit code") {
  int times = 0;
  const Printed watched = captured([&] {
    return cli::watch(
        [&] {
          std::fputs("shown\n", stdout);
          return ++times;
        },
        [&] { return times < 3; });
  });
  CHECK(watched.code == 3);
  CHECK(watched.out == "shown\n\nshown\n\nshown\n");
  CHECK(cli::parse_watch("2s") == base::Millis{2000});
  CHECK_FALSE(cli::parse_watch("0s"));
  CHECK_FALSE(cli::parse_watch("soon"));
  CHECK(fettle({"alerts", "--watch=10ms"}) == 2);
}

TEST_CASE("times may be relative: to now, or to the newest sample of a file") {
  CHECK(cli::parse_time("-5m", 1'700'000'000'000) == 1'699'999'700'000);
  CHECK(cli::parse_time("-5", 0) == -5'000);  // seconds since the epoch, as before
  CHECK_FALSE(cli::parse_time("-5x", 0));
  CHECK(cli::api_time("-1h", 1'700'000'000'250) == "1699996400.250");
  CHECK(cli::api_time("2023-11-14T22:13:20Z", 0) == "2023-11-14T22:13:20Z");
  const fakes::TemporaryFolder folder;
  const std::string file = folder.write("samples", "up 1 1700000000\nup 0 1700000300\n# EOF\n");
  const Printed before = captured([&] { return fettle({"query", "--openmetrics", file, "--time=-5m", "up"}); });
  CHECK(before.code == 0);
  CHECK(before.out == "SERIES  VALUE\nup      1\n");
}
