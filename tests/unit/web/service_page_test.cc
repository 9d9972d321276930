#include <doctest/doctest.h>

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>

#include "base/percent.h"
#include "promql/queryable.h"
#include "unit/web/handlers.h"
#include "web/pages/history_graphics.h"
#include "web/pages/incident_pages.h"
#include "web/pages/service_page.h"

namespace {

constexpr std::int32_t kToday = static_cast<std::int32_t>(fakes::kShopNow / 86'400'000);
constexpr std::int64_t kHour = 3'600'000;

model::ServiceAvailability of_order() {
  model::ServiceAvailability out;
  out.service = "order";
  out.before = std::make_shared<const std::vector<model::AvailabilitySpan>>(std::vector<model::AvailabilitySpan>{
      {kToday - 40, 24 * kHour, 0, 0}, {kToday - 2, 23 * kHour, kHour, 0}, {kToday - 1, 0, 0, 24 * kHour}});
  out.today = {kToday, 6 * kHour, 3'600, 0};
  const auto hour = static_cast<std::int32_t>(fakes::kShopNow / kHour);
  out.hours_before = std::make_shared<const std::vector<model::AvailabilitySpan>>(
      std::vector<model::AvailabilitySpan>{{hour - 3, kHour, 0, 0}, {hour - 1, kHour / 2, kHour / 2, 0}});
  out.this_hour = {hour, kHour / 2, 0, 0};
  return out;
}

// A shop whose store has an hour of the service's runs.
struct MeasuredShop : Handlers {
  explicit MeasuredShop(const std::string& service = "order") {
    web::Snapshot shop = fakes::shop_snapshot();
    shop.retention = base::Millis(2 * kHour);
    shop.availability = {of_order()};
    shop.config.redacted_text =
        "global:\n  interval: 5s\nservices:\n  order:\n    unit: order.service\n    probes:\n      "
        "-\n        name: <http>\n  \"redis\":\n    unit: r\nreceivers:\n  order: {}\n";
    slot.store(std::make_shared<web::Snapshot>(shop));
    const auto add = [&](const char* metric, const char* probe, double value) {
      promql::MemoryQueryable::Entry entry;
      entry.labels = {{"__name__", metric}, {"service", service}, {"probe", probe}};
      for (std::int64_t t = fakes::kShopNow - kHour; t <= fakes::kShopNow; t += 5'000)
        entry.samples.push_back({t, value});
      backend.series.push_back(entry);
    };
    add("fettle_service_up", "", 1);
    add("probe_duration_seconds", "http", 0.004);
    add("probe_duration_seconds", "process", 0.0001);
  }
};

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE(
    "the page of a service has its state, its history, its probes, its incidents, its plan and its configuration") {
  const MeasuredShop shop;
  const web::Response response = shop.get("/services/order");
  CHECK(response.status == 200);
  CHECK(response.content_type == "text/html; charset=utf-8");
  CHECK(has(header(response, "Content-Security-Policy"), "default-src 'none'"));
  for (const std::string_view part :
       {"process_gone", "Last 24 hours: 3 are known, in 1 of them it was down", "05:00: 50.000 % up, down for 30 min",
        "in 2 of them it was down", "95.833 %", "in maintenance", "Last 1h: of 120 steps of 30s",
        "<path class=\"line l0 d0\"", "class=\"key\"", "../graph?g0.expr=max+by", "4.0 ms",
        "href=\"../incidents/inc_5e1f\"", "min_uptime", "systemd restart order.service", "name: &lt;http&gt;",
        "?range=2h", "../api/v1/services/order", "../badge/order.svg", "href=\"../services/redis\""}) {
    CAPTURE(part);
    CHECK(has(response.body, part));
  }
  CHECK_FALSE(has(response.body, "interval: 5s"));
  CHECK_FALSE(has(response.body, " style="));
  CHECK(has(shop.get("/services/order?range=2h").body, "<b aria-current=\"true\">2h</b>"));
  CHECK(has(shop.get("/services/order?range=9y").body, "<b aria-current=\"true\">1h</b>"));
}

TEST_CASE("what the step that runs now has seen is drawn") {
  MeasuredShop shop;
  shop.backend.series.clear();
  shop.backend.series.push_back({{{"__name__", "fettle_service_up"}, {"service", "order"}},
                                 {{fakes::kShopNow - 10'000, 0}, {fakes::kShopNow - 5'000, 0}}});
  CHECK(has(shop.get("/services/order?range=2h").body, "06:51:00: down"));
}

TEST_CASE("a service that is not there is 404, with the nearest name") {
  const Handlers shop;
  for (const std::string path : {"/services/ordr", "/explain/ordr", "/badge/ordr.svg", "/api/v1/services/ordr"}) {
    CAPTURE(path);
    const web::Response response = shop.get(path);
    CHECK(response.status == 404);
    CHECK(has(response.body, "did you mean"));
    CHECK(has(response.body, "order"));
  }
  CHECK(has(shop.get("/services/%3Cb%3E").body, "see /api/v1/services"));
  CHECK(shop.get("/services/%3Cb%3E").content_type == "text/plain; charset=utf-8");
}

TEST_CASE("one service as JSON") {
  const MeasuredShop shop;
  const auto data = nlohmann::json::parse(shop.get("/api/v1/services/order").body).at("data");
  CHECK(data.at("service").at("health") == "down");
  CHECK(data.at("plan").at("guards").size() == 3);
  CHECK(data.at("availability").at("days").size() == 4);
  CHECK(data.at("availability").at("hours").at(1).at("start") == "2026-11-23T05:00:00Z");
  CHECK(data.at("incidents").at(0).at("id") == "inc_5e1f");
  CHECK(data.at("yaml") == "order:\n  unit: order.service\n  probes:\n    -\n      name: <http>\n");
}

TEST_CASE("a badge says up, down, unknown or maintenance") {
  const Handlers shop;
  struct Row {
    std::string service, word;
  };
  for (const Row& row : {Row{"order", "down"}, Row{"redis", "up"}, Row{"inventory", "maintenance"}}) {
    CAPTURE(row.service);
    const web::Response response = shop.get("/badge/" + row.service + ".svg");
    CHECK(response.content_type == "image/svg+xml");
    CHECK(has(response.body, "aria-label=\"" + row.service + ": " + row.word + "\""));
    CHECK_FALSE(has(response.body, "<script"));
  }
  web::ServicePage evil;
  evil.name = "<script>&\"";
  CHECK(has(web::service_badge(evil), "&lt;script&gt;&amp;&quot;: unknown"));
}

TEST_CASE("the part of a service in the configuration") {
  const std::string text = "services:\n  a:\n    unit: x\n\n  'b c':\n    unit: y\nother:\n  a:\n    unit: z\n";
  CHECK(web::config_of("a", text) == "a:\n  unit: x\n");
  CHECK(web::config_of("b c", text) == "'b c':\n  unit: y\n");
  CHECK(web::config_of("c", text) == "");
  CHECK(web::config_of("a", "") == "");
}

TEST_CASE("availability in words is never rounded up") {
  CHECK(web::percent_text(1) == "100 %");
  CHECK(web::percent_text(0.9999999) == "99.999 %");
  CHECK(web::percent_text(0.5) == "50.000 %");
  CHECK(web::percent_text(0) == "0.000 %");
  const std::string bars = web::day_bars(of_order());
  CHECK(has(bars, "Last 90 days: 3 are known, in 2 of them it was down"));
  CHECK(has(bars, "down for 1 h"));
}

TEST_CASE("incidents have a page, and each has one with its timeline") {
  const Handlers shop;
  const web::Response list = shop.get("/incidents");
  CHECK(list.status == 200);
  CHECK(has(list.body, "href=\"./incidents/inc_5e1f\""));
  CHECK(has(list.body, "href=\"./incidents/inc_0a77\""));
  CHECK_FALSE(has(shop.get("/incidents?service=order").body, "inc_0a77"));
  // A service that depends on the one that is down is concerned, as on its own page.
  CHECK(has(shop.get("/services/gateway").body, "inc_5e1f"));
  CHECK(has(shop.get("/incidents?service=gateway").body, "inc_5e1f"));
  CHECK(has(shop.get("/api/v1/incidents?service=gateway").body, "inc_5e1f"));
  CHECK_FALSE(has(shop.get("/api/v1/incidents?service=order").body, "inc_0a77"));
  // A slip in the name is not good news.
  for (const std::string path : {"incidents", "recoveries"}) {
    const web::Response slip = shop.get("/api/v1/" + path + "?service=odrer");
    CHECK(slip.status == 404);
    CHECK(has(slip.body, R"(no service \"odrer\" here; there are: )"));
  }
  CHECK(shop.get("/api/v1/incidents?service=fettle").status == 200);
  const web::Response one = shop.get("/incidents/inc_5e1f");
  CHECK(one.status == 200);
  for (const std::string_view part : {"Timeline", "gateway depends on it", "href=\"../services/order\"",
                                      "killed by SIGKILL", "href=\"../api/v1/incidents/inc_5e1f\""}) {
    CAPTURE(part);
    CHECK(has(one.body, part));
  }
  CHECK(has(shop.get("/incidents/inc_0a77").body, "resolved"));
  CHECK_FALSE(has(one.body, "Links of its alerts"));
  CHECK(shop.get("/incidents/inc_none").status == 404);
}

TEST_CASE("the page of an incident has the links of its alerts, each once") {
  web::Snapshot shop = fakes::shop_snapshot();
  model::Incident incident = *shop.incidents[0];
  model::Alert alert;
  alert.labels = {{"alertname", "ServiceDown"}, {"service", "order"}};
  alert.annotations = {{"dashboard_url", "https://grafana.example/d/fettle-service?var-service=order"}};
  incident.alerts = {alert, alert};
  const std::string page = web::incident_page(incident, shop);
  const std::string want =
      R"(<dt>Links of its alerts</dt><dd><p>ServiceDown: <a href="https://grafana.example/d/fettle-service?var-service=order" rel="noreferrer">dashboard</a></p></dd>)";
  CHECK(has(page, want));
}

TEST_CASE("nothing foreign reaches these pages unescaped") {
  const std::string evil = "\"'><img src=x onerror=alert(1)>";
  web::Snapshot shop = fakes::shop_snapshot();
  shop.node = evil;
  model::Incident incident = *shop.incidents[0];
  incident.service = incident.cause.text = incident.cause.address = incident.cause.death = incident.cause.probe = evil;
  incident.dependents = incident.demands = {evil};
  incident.notes = {{fakes::before(10), evil}};
  incident.messages = {{evil, evil, evil, evil, fakes::before(5)}};
  shop.incidents = {std::make_shared<const model::Incident>(incident)};
  web::ServicePage& service = shop.services[1];
  service.name = service.text = evil;
  service.recovery_steps = {evil};
  shop.config.redacted_text = "services:\n  " + evil + ":\n    x: y\n";
  web::Measured measured;
  measured.range = "1h";
  measured.ranges = {{"1h", base::Millis(kHour)}};
  measured.step = 30'000;
  measured.durations = {{evil, {{1'000, 0.1}}}};
  measured.trouble = evil;
  const std::string page = web::service_page(service, measured, shop);
  measured.trouble.clear();
  Handlers handlers;
  handlers.slot.store(std::make_shared<web::Snapshot>(shop));
  for (const std::string& each : {page, web::service_page(service, measured, shop), handlers.get("/incidents").body,
                                  handlers.get("/incidents/inc_5e1f").body}) {
    CHECK_FALSE(has(each, "<img"));
    CHECK_FALSE(has(each, "\"'>"));
  }
  // What stands in the address of a page.
  const std::string said = base::percent_encode(evil);
  for (const std::string& path :
       {"/incidents?service=" + said, "/incidents/" + evil, "/services/" + evil, "/services/order?range=" + said,
        "/explain/" + evil, "/graph?g0.expr=" + said, "/graph?g0.expr=up&g0.tab=" + said, "/badge/" + evil + ".svg"}) {
    CAPTURE(path);
    const web::Response answer = handlers.get(path);
    if (answer.content_type.starts_with("text/plain")) continue;
    CHECK_FALSE(has(answer.body, "<img"));
    CHECK_FALSE(has(answer.body, "\"'>"));
  }
}
