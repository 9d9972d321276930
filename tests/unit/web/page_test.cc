#include <doctest/doctest.h>

#include <set>
#include <string>

#include "fakes/golden.h"
#include "fakes/shop_snapshot.h"
#include "web/explain.h"
#include "web/pages/assets.h"
#include "web/pages/explain_page.h"
#include "web/pages/parts.h"
#include "web/pages/status_page.h"
#include "web/server/event_stream.h"

TEST_CASE("the page of a shop in trouble, of a calm one and of an agent that just started") {
  struct Row {
    std::string file;
    web::Snapshot snapshot;
  };
  web::Snapshot starting;
  starting.node = "shop-a1";
  const Row rows[] = {{"web/page-trouble.html", fakes::shop_snapshot()},
                      {"web/page-calm.html", fakes::calm_shop()},
                      {"web/page-starting.html", starting}};
  for (const Row& row : rows) {
    CAPTURE(row.file);
    const std::string got = web::status_page(row.snapshot);
    CHECK((got == fakes::golden(row.file, got)));
  }
}

TEST_CASE("the page behind a service's name shows every guard") {
  const web::Snapshot shop = fakes::shop_snapshot();
  const std::string got = web::explain_page(shop.services[1], shop);
  CHECK((got == fakes::golden("web/explain.html", got)));
}

TEST_CASE("nothing that was configured or said reaches the page unescaped") {
  web::Snapshot shop = fakes::shop_snapshot();
  const std::string evil = "\"'><img src=x onerror=alert(1)>";
  shop.node = shop.version = shop.config.file = shop.config.last_reload_error = evil;
  for (auto& service : shop.services) {
    service.name = service.unit = service.text = evil;
    service.recovery_reason = evil;
    service.maintenance = service.recovery_next = evil;
    service.recovery_guards = {{evil, false, evil, {}}};
    service.recovery_steps = {evil};
    service.labels = {{evil, evil}};
    service.depends_on = {evil};
    for (auto& probe : service.probes) {
      probe.name = probe.type = probe.target = probe.text = evil;
      probe.phases = {{evil, 1}};
    }
  }
  for (auto& alert : shop.alerts)
    alert.labels = alert.annotations = {{"summary", evil}, {"alertname", evil}, {evil, evil}};
  for (auto& group : shop.rule_groups) {
    group.name = group.file = evil;
    for (auto& rule : group.rules) rule.name = rule.last_error = evil;
  }
  for (auto& report : shop.recoveries) {
    report.id = report.service = report.trigger = report.reason = evil;
    for (auto& action : report.actions) action.action = action.text = evil;
  }
  const std::string page = web::status_page(shop);
  CHECK(page.find("<img") == std::string::npos);
  CHECK(page.find("\"'>") == std::string::npos);
  CHECK(web::explain_page(shop.services[0], shop).find("<img") == std::string::npos);
  CHECK(web::EventWriter().news(shop, {}).find("<img") == std::string::npos);
}

TEST_CASE("a pause is said: of the node once, of a service at the service, which is not folded away") {
  web::Snapshot shop = fakes::calm_shop();
  CHECK(web::status_page(shop).find("Paused") == std::string::npos);
  shop.paused = "/run/fettle/pause exists: remove it to go on";
  CHECK(web::status_page(shop).find("<b>No recovery begins on this node.</b> /run/fettle/pause exists: remove it to go "
                                    "on.") != std::string::npos);
  CHECK(web::explain(shop.services[1], shop)[1] ==
        "Recovery is paused (/run/fettle/pause exists: remove it to go on): nothing acts on it.");
  shop.paused.clear();
  shop.services[1].paused = "/run/fettle/pause.d/order exists: remove it to go on";
  CHECK(web::service_part(shop.services[1], shop).find("/run/fettle/pause.d/order exists") != std::string::npos);
  CHECK(web::explain(shop.services[1], shop)[1] ==
        "Recovery is paused (/run/fettle/pause.d/order exists: remove it to go on): nothing acts on it.");
  std::vector<web::ServicePage> many(40, shop.services[0]);
  for (std::size_t i = 0; i < many.size(); ++i) many[i].name = "s" + std::to_string(i);
  many[30].paused = shop.services[1].paused;
  shop.services = many;
  CHECK(web::status_page(shop).find("/run/fettle/pause.d/order exists") != std::string::npos);
}

TEST_CASE("an agent that watches only itself says how the first service is found") {
  const std::string hint = "No service of yours is watched yet.";
  web::Snapshot shop = fakes::calm_shop();
  CHECK(web::status_page(shop).find(hint) == std::string::npos);
  shop.services.resize(1);
  shop.services[0].name = "fettle";
  CHECK(web::status_page(shop).find(hint) != std::string::npos);
  CHECK(web::status_page(shop).find("sudo fettle init --force") != std::string::npos);
  shop.services.clear();
  CHECK(web::status_page(shop).find(hint) != std::string::npos);
}

TEST_CASE("an annotation that is a URL of the web is a link, and no other one is") {
  CHECK(web::annotation_links({{"runbook_url", "https://wiki.example/a?b=1&c=\"2\"#servicedown"},
                               {"dashboard_url", "http://grafana.example/d/fettle-service"},
                               {"description", "http://127.0.0.1:9093 takes no notification"},
                               {"summary", "see https://wiki.example/"}}) ==
        R"(<a href="http://grafana.example/d/fettle-service" rel="noreferrer">dashboard</a> )"
        R"(<a href="https://wiki.example/a?b=1&amp;c=&quot;2&quot;#servicedown" rel="noreferrer">runbook</a>)");
  for (const std::string_view url :
       {"javascript:alert(1)", "data:text/html,x", "file:///usr/share/doc/x", "//elsewhere"}) {
    CAPTURE(url);
    CHECK(web::annotation_links({{"runbook_url", url}}).empty());
  }
  web::Snapshot shop = fakes::shop_snapshot();
  for (model::Alert& alert : shop.alerts) alert.annotations = {{"runbook_url", "https://wiki.example/servicedown"}};
  CHECK(web::alerts_part(shop).find(R"(<a href="https://wiki.example/servicedown")") != std::string::npos);
}

TEST_CASE("the page has nothing inline and nothing from elsewhere") {
  const std::string page = web::status_page(fakes::shop_snapshot());
  for (const std::string_view bad : {" style=", "onclick", "<style", "http-equiv=\"Content", "src=\"http",
                                     "href=\"http", "href=\"/", "src=\"/", "@import"}) {
    CAPTURE(bad);
    CHECK(page.find(bad) == std::string::npos);
    CHECK(web::kStyleSheet.find(bad) == std::string_view::npos);
  }
  CHECK(web::kStyleSheet.find("url(") == std::string_view::npos);
}

TEST_CASE("every fragment has its place on the page, once") {
  const web::Snapshot shop = fakes::shop_snapshot();
  const std::string page = web::status_page(shop);
  std::set<std::string> ids;
  for (const web::Fragment& fragment : web::page_fragments(shop)) {
    CAPTURE(fragment.id);
    CHECK(ids.insert(fragment.id).second);
    const std::string place = " id=\"" + fragment.id + "\"";
    CHECK(page.find(place) != std::string::npos);
    CHECK(page.find(place) == page.rfind(place));
  }
  CHECK(ids.count("s-order") == 1);
}

TEST_CASE("a stream is told only what changed") {
  web::Snapshot shop = fakes::shop_snapshot();
  web::EventWriter writer;
  base::Instant now{std::chrono::hours(1)};
  const std::string first = writer.news(shop, now);
  CHECK(first.starts_with(
      "id: 42\nevent: patch\ndata: {\"at\":\"2026-11-23T06:50:45.250Z\",\"lists\":{\"cards\":[\"s-order\","));
  CHECK(first.ends_with("}}\n\n"));
  CHECK(first.find('\n', first.find("data: ")) == first.size() - 2);  // data is one line
  CHECK(writer.news(shop, now) == "");
  shop.number = 43;
  shop.services[4].text = "not shown while it is up";
  CHECK(writer.news(shop, now) == "");
  shop.services[4].probes[0].text = "+PONG again";
  now += web::EventWriter::kMeasurements;
  const std::string second = writer.news(shop, now);
  CHECK(second.starts_with("id: 43\n"));
  CHECK(second.find("\"s-redis\":") != std::string::npos);
  CHECK(second.find("\"s-order\":") == std::string::npos);
  // Snapshots keep coming, and nothing on the page changes: the page must still hear that we live.
  now += std::chrono::milliseconds(999);
  CHECK(writer.news(shop, now) == "");
  now += std::chrono::milliseconds(1);
  CHECK(writer.news(shop, now) == ": alive\nevent: alive\ndata: 1\n\n");
  CHECK(writer.news(shop, now) == "");
}

TEST_CASE("places for streams are bounded, and stopping wakes those who wait") {
  web::EventStreams streams(2);
  CHECK(streams.enter());
  CHECK(streams.enter());
  CHECK_FALSE(streams.enter());
  streams.leave();
  CHECK(streams.open() == 1);
  std::uint64_t seen = 0;
  streams.snapshot_changed();
  CHECK(streams.wait(seen, std::chrono::hours(1)) == web::EventStreams::Woken::changed);
  CHECK(streams.wait(seen, std::chrono::milliseconds(0)) == web::EventStreams::Woken::quiet);
  streams.stop();
  CHECK(streams.wait(seen, std::chrono::hours(1)) == web::EventStreams::Woken::stopping);
  CHECK_FALSE(streams.pause(std::chrono::hours(1)));
  CHECK_FALSE(streams.enter());
}

TEST_CASE("explain says why, in sentences") {
  const web::Snapshot shop = fakes::shop_snapshot();
  CHECK(
      web::explain(shop.services[1], shop) ==
      std::vector<std::string>{
          "order is down for 3 s (process_gone: process 4711 is gone (signal 9)).",
          "Probe http is down for 3 s (refused: connect to 127.0.0.1:8081: connection refused); it failed 4 times in a "
          "row, 3 make it down.",
          "Probe process is down for 3 s (process_gone: process 4711 is gone (signal 9)).",
          "It depends on redis, which is up.", "It depends on inventory, which is up.",
          "Alert ServiceDown is firing for 3 s.",
          "Incident inc_5e1f: people hear of it at 2026-11-23T06:52:40.250Z if it is not mended by then: recovery is "
          "at "
          "work.",
          "Recovery is in mode enforce; state verifying, 2 attempts left in its budget.",
          "Its last recovery, started 2026-11-23T06:50:42.145Z by alert ServiceDown, is verifying after 3 actions.",
          "Next: probes must say that it is healthy.", "  guard open   maintenance: off",
          "  guard open   budget: 2 of 3 attempts left in 15m",
          "  guard CLOSED min_uptime: started 2s ago, may take 30s to get ready, 28s to go",
          "  step 1: drain, at most 10s", "  step 2: systemd restart order.service, at most 1m",
          "  step 3: finally undrain, at most 1m"});
}

TEST_CASE("explain has the conditions of a standby beside those of the plan") {
  web::Snapshot shop = fakes::shop_snapshot();
  web::StandbyPage standby;
  standby.service = "order";
  standby.mode = "ask";
  standby.is = "is left to what manages it";
  standby.move = "none";
  standby.primary = "a";
  standby.gates = {{"managed_by_patroni", false, "Patroni manages the server of a and promotes by itself"}};
  shop.standbys = {standby};
  const std::vector<std::string> told = web::explain(shop.services[1], shop);
  CHECK(told[told.size() - 2] ==
        "Its standby is in mode ask; the server here: is left to what manages it. a is the primary; next: none.");
  CHECK(told.back() == "  guard CLOSED managed_by_patroni: Patroni manages the server of a and promotes by itself");
  CHECK(web::explain(shop.services[0], shop).back().find("managed_by") == std::string::npos);
}

TEST_CASE("spans of time get coarser the longer they are") {
  struct Row {
    std::int64_t seconds;
    std::string want;
  };
  const Row rows[] = {{-5, "0 s"},   {0, "0 s"},          {59, "59 s"},           {60, "1 min"},  {3599, "59 min"},
                      {3600, "1 h"}, {3660, "1 h 1 min"}, {86399, "23 h 59 min"}, {86400, "1 d"}, {200000, "2 d"}};
  for (const Row& row : rows) {
    CAPTURE(row.seconds);
    CHECK(web::rough_duration(std::chrono::seconds(row.seconds)) == row.want);
  }
  CHECK(web::precise_duration(0.00042) == "0.4 ms");
  CHECK(web::precise_duration(0.0123) == "12 ms");
  CHECK(web::precise_duration(1.5) == "1.50 s");
  CHECK(web::precise_duration(10) == "10 s");
  CHECK(web::precise_duration(120) == "120 s");
}
