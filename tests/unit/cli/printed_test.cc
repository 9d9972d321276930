// What the commands print of an agent's good answers, and the exit codes that scripts go by.
#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "cli/client.h"
#include "cli/query.h"
#include "cli/status.h"
#include "cli/times.h"
#include "fakes/local_server.h"
#include "fakes/temporary_folder.h"
#include "rules/tools/samples_file.h"
#include "unit/cli/command_line.h"

namespace {

// Of a command that asks an agent which answers so.
Printed printed(const std::string& status, const std::string& body,
                const std::function<int(const std::string& url)>& command) {
  const fakes::LocalServer server("HTTP/1.1 " + status + "\r\nConnection: close\r\nContent-Length: " +
                                  std::to_string(body.size()) + "\r\n\r\n" + body);
  return captured([&] { return command("http://127.0.0.1:" + std::to_string(server.port())); });
}

Printed printed(const std::string& data, const std::function<int(const std::string& url)>& command) {
  return printed("200 OK", R"({"status":"success","data":)" + data + "}", command);
}

std::string services(const std::string& health) {
  return R"({"services":[{"name":"order","health":")" + health +
         R"(","since":"2026-11-24T03:00:30Z","text":"http is down","recovery":{"mode":"enforce","state":"acting",)" +
         R"("reason":"dependencies"},"probes":[{"name":"http","health":"down","reason":"refused",)" +
         R"("since":"2026-11-24T03:00:30Z","text":"connect: Connection refused"}]},)" +
         R"({"name":"bills","health":"unknown","maintenance":"until 04:00","recovery":{},"probes":[]}]})";
}

}  // namespace

TEST_CASE("status is a table of services and their probes, and its exit code says whether one is down") {
  const auto status = [](const std::vector<std::string>& names) {
    return [=](const std::string& url) { return cli::run_status({url, false}, names); };
  };
  const Printed all = printed(services("down"), status({}));
  CHECK(all.code == 1);
  CHECK(
      all.out ==
      "SERVICE  PROBE  HEALTH                SINCE                 RECOVERY                        TEXT\n"
      "order           down                  2026-11-24T03:00:30Z  enforce: acting (dependencies)  http is down\n"
      "         http   down: refused         2026-11-24T03:00:30Z                                  connect: Connection "
      "refused\n"
      "bills           unknown, maintenance                        -                               \n");
  CHECK(printed(services("up"), status({})).code == 0);
  const Printed paused =
      printed(R"({"paused":"/run/fettle/pause exists: remove it to go on","services":[{"name":"order",)"
              R"("health":"up","paused":"/run/fettle/pause.d/order exists: remove it to go on",)"
              R"("recovery":{"mode":"enforce","state":"idle"},"probes":[]}]})",
              status({}));
  CHECK(paused.code == 0);
  CHECK(paused.out.find("enforce: paused") != std::string::npos);
  CHECK(paused.out.ends_with("\nno recovery begins on this node: /run/fettle/pause exists: remove it to go on\n"));
  // Of those that are asked for.
  const Printed one = printed(services("down"), status({"bills"}));
  CHECK(one.code == 0);
  CHECK(one.out.find("order") == std::string::npos);
  const Printed none = printed(services("down"), status({"order", "odrer"}));
  CHECK(none.code == 2);
  CHECK(none.out.empty());
  CHECK(none.err.find("knows no service 'odrer'; `fettle status` lists them\n") != std::string::npos);
  const Printed json = printed(services("down"), [](const std::string& url) {
    return cli::run_status({url, true}, {});
  });
  CHECK(json.code == 1);
  CHECK(json.out == R"({"status":"success","data":)" + services("down") + "}\n");
}

TEST_CASE("alerts are a table without the name among the labels; firing is exit code 1, silenced too") {
  const auto alerts = [](const std::string& url) { return cli::run_alerts({url, false}); };
  const std::string pending =
      R"({"state":"pending","activeAt":"2026-11-24T03:00:30Z","labels":{"alertname":"Slow","service":"order"},)"
      R"("annotations":{}})";
  const std::string silenced =
      R"({"state":"firing","silencedBy":["x"],"activeAt":"2026-11-24T03:00:30Z","labels":{"alertname":"Down"},)"
      R"("annotations":{"summary":"order\nis down"}})";
  CHECK(printed(R"({"alerts":[]})", alerts).out == "no alert is pending or firing\n");
  CHECK(printed(R"({"alerts":[]})", alerts).code == 0);
  CHECK(printed(R"({"alerts":[)" + pending + "]}", alerts).code == 0);
  const Printed both = printed(R"({"alerts":[)" + pending + "," + silenced + "]}", alerts);
  CHECK(both.code == 1);
  CHECK(both.out ==
        "ALERT  STATE             ACTIVE SINCE          LABELS         SUMMARY\n"
        "Slow   pending           2026-11-24T03:00:30Z  service=order  \n"
        "Down   firing, silenced  2026-11-24T03:00:30Z                 order\\nis down\n");
}

TEST_CASE("explain prints sentences, and none of them steers the terminal") {
  const auto explain = [](const std::string& url) { return cli::run_explain({url, false}, "order"); };
  const Printed down =
      printed(R"({"explanation":["it is down","\u001b[2Jbecause"],"service":{"health":"down"}})", explain);
  CHECK(down.code == 1);
  CHECK(down.out == "it is down\n\\x1b[2Jbecause\n");
  CHECK(printed(R"({"explanation":[],"service":{"health":"up"}})", explain).code == 0);
}

TEST_CASE("a query prints what it found, and what is to be said about it on the other stream") {
  const auto query = [](const std::string& url) {
    return cli::run_query({url, "", "", "", "", "", "up", 3, cli::Output::table});
  };
  CHECK(printed(R"({"resultType":"scalar","result":[1700000000,"1.5"]})", query).out == "1.5\n");
  CHECK(printed(R"({"resultType":"vector","result":[{"metric":{"__name__":"up","a":"b"},"value":[1700000000,"1"]}]})",
                query)
            .out ==
        "SERIES     VALUE\n"
        "up{a=\"b\"}  1\n");
  CHECK(
      printed(
          R"({"resultType":"matrix","result":[{"metric":{"a":"b"},"values":[[1700000000,"1"],[1700000060.5,"NaN"]]}]})",
          query)
          .out ==
      "SERIES   TIME                      VALUE\n"
      "{a=\"b\"}  2023-11-14T22:13:20Z      1\n"
      "{a=\"b\"}  2023-11-14T22:14:20.500Z  NaN\n");
  const Printed empty = printed(R"({"resultType":"vector","result":[]},"warnings":["look\u0007out"])", query);
  CHECK(empty.code == 0);
  CHECK(empty.out == "SERIES  VALUE\n");
  CHECK(empty.err == "the result is empty: no series matches at this time\nlook\\x07out\n");
}

TEST_CASE("what an agent refuses is said in its own words, and who does not answer is named") {
  const auto query = [](const std::string& url) {
    return cli::run_query({url, "", "", "", "", "", "up(", 3, cli::Output::table});
  };
  const Printed refused =
      printed("400 Bad Request", R"({"status":"error","errorType":"bad_data","error":"1:4: parse error"})", query);
  CHECK(refused.code == 1);
  CHECK(refused.err == "fettle query: 1:4: parse error\n");
  CHECK(printed("502 Bad Gateway", "<html>", query).err == "fettle query: HTTP 502: <html>\n");
}

TEST_CASE("times and steps of a command line") {
  CHECK(cli::parse_time("1700000000.5", 0) == 1'700'000'000'500);
  CHECK(cli::parse_time("2023-11-14T22:13:20Z", 0) == 1'700'000'000'000);
  CHECK_FALSE(cli::parse_time("yesterday", 0));
  CHECK(cli::parse_step("15") == 15'000);
  CHECK(cli::parse_step("1m30s") == 90'000);
  for (const char* bad : {"", "0", "-1", "x"}) CHECK_FALSE(cli::parse_step(bad));
  for (const char* bad : {"nan", "inf", "1e300", "-1e300"}) CHECK_FALSE(cli::parse_time(bad, 0));
  for (const char* bad : {"inf", "1e300"}) CHECK_FALSE(cli::parse_step(bad));
}

TEST_CASE("a file of samples without time stamps is refused with its line") {
  const fakes::TemporaryFolder folder;
  const std::string path = folder.write("samples", "up 1 1700000000\nup 2\n# EOF\n");
  const auto samples = rules::load_samples(path);
  REQUIRE_FALSE(samples);
  CHECK(samples.error().text == path + ":2: the sample has no time stamp; queries and replays need one");
}

TEST_CASE("a file of samples without its end, or with more behind it, is refused") {
  const fakes::TemporaryFolder folder;
  const auto error_of = [&](const std::string& text) {
    const auto samples = rules::load_samples(folder.write("samples", text));
    return samples ? "" : samples.error().text.substr(samples.error().text.find(": ") + 2);
  };
  const std::string cut = "has no # EOF at its end: it was cut off, or is no OpenMetrics, whose times are seconds";
  CHECK(error_of("up 1 1700000000000\n") == cut);
  CHECK(error_of("") == cut);
  CHECK(error_of("up 1 1\n# EOF\nup 1 2\n# EOF\n") ==
        "goes on after # EOF: join files without that line in the middle");
  CHECK(error_of("up 1 1\n# EOF\n") == "");
  CHECK(error_of("up 1 1\n# EOF") == "");
}
