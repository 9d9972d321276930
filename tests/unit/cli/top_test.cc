#include "cli/top.h"

#include <doctest/doctest.h>

namespace {

constexpr char kServices[] = R"({"status":"success","data":{"node":"n1","at":"2026-11-24T03:00:30Z","services":[
{"name":"order","health":"up","since":"2026-11-24T02:00:00Z","text":"all probes are up","maintenance":null,"probes":[
 {"name":"http","health":"up","since":"2026-11-24T02:00:00Z","took":0.0123,"text":"status 200 in 12 ms","history":[1,0,1]}]},
{"name":"payment","health":"down","since":"2026-11-24T03:00:18.5Z","text":"http: refused","maintenance":"alice","probes":[
 {"name":"http","health":"down","since":"2026-11-24T03:00:18.5Z","took":0.0001,"text":"127.0.0.1:1 refused","history":[1,0,0]}]}]}})";
constexpr char kAlerts[] = R"({"data":{"alerts":[{"state":"firing"},{"state":"pending"},{"state":"firing"}]}})";

}  // namespace

TEST_CASE("what is down comes first, with how long and the last runs") {
  cli::TopView view;
  view.columns = 200;
  CHECK(cli::top_frame(kServices, kAlerts, view) ==
        "n1  2026-11-24T03:00:30Z  services: 1 down, 1 up  alerts: 2 firing, 1 pending\n"
        "\n"
        "SERVICE  PROBE  HEALTH             FOR    TOOK     LAST RUNS  TEXT\n"
        "payment         down, maintenance  11s                        http: refused\n"
        "         http   down               11s    0.1 ms   .xx        127.0.0.1:1 refused\n"
        "order           up                 1h30s                      all probes are up\n"
        "         http   up                 1h30s  12.3 ms  .x.        status 200 in 12 ms\n");
  view.with_probes = false;
  CHECK(cli::top_frame(kServices, kAlerts, view).find("status 200") == std::string::npos);
}

TEST_CASE("a picture fits its terminal, scrolled no further than to its end") {
  cli::TopView view;
  view.columns = 30;
  view.lines = 5;
  view.first_row = 99;
  CHECK(cli::top_frame(kServices, kAlerts, view) ==
        "n1  2026-11-24T03:00:30Z  serv\n"
        "\n"
        "SERVICE  PROBE  HEALTH\n"
        "order           up\n"
        "         http   up\n");
  view.colour = base::Colour::always;
  view.first_row = 0;
  CHECK(cli::top_frame(kServices, kAlerts, view).find("\033[31;1mpayment         down, maintena\033[0m\n") !=
        std::string::npos);
}

TEST_CASE("an answer that is no agent's is said to be none") {
  CHECK(cli::top_frame("<html>", kAlerts, {}) == "this does not answer as an agent does\n");
}
