#include "app/metric_blocks.h"

#include <doctest/doctest.h>

#include <string>

#include "encoding/exposition_writer.h"

using model::Labels;
using model::MetricType;

namespace {

struct Shop {
  probe::Spec spec;
  probe::Status status;
  app::MetricBlocks blocks;
  Shop() {
    spec.service = "order";
    spec.name = "http";
    spec.interval = base::Millis{5000};
    status.spec = &spec;
  }

  void run(std::vector<model::Measurement> measurements) {
    probe::Run run;
    run.spec = &spec;
    run.started = base::wall_from_ms(static_cast<std::int64_t>(1000 * ++status.runs));
    run.outcome = model::Outcome::success("fine");
    run.outcome.measurements = std::move(measurements);
    status.last = std::move(run);
    status.health = model::Health::up;
    blocks.follow(status);
  }
  // A run in which the agent could not look, as the schedule tells of it.
  void blind_run() {
    if (status.last && status.last->outcome.up) status.last_verdict = std::move(status.last);
    probe::Run run;
    run.spec = &spec;
    run.started = base::wall_from_ms(static_cast<std::int64_t>(1000 * ++status.runs));
    run.outcome = model::Outcome::failure(model::Reason::agent_overloaded, "too many open files");
    status.last = std::move(run);
    blocks.follow(status);
  }
  // The lines of the page that are no comments, of this probe alone.
  std::string page() {
    model::MetricPage page;
    page.blocks = blocks.probes({status});
    std::string out, text = encoding::expose({}, page, encoding::Exposition::text);
    for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string::npos; at = end + 1)
      if (text[at] != '#') out += text.substr(at, end + 1 - at);
    return out;
  }
};

}  // namespace

TEST_CASE("a probe that has not run yet has an interval and nothing else") {
  Shop shop;
  CHECK(shop.page() == "fettle_probe_interval_seconds{probe=\"http\",service=\"order\"} 5\n");
}

TEST_CASE("the page has what the last run found, and series that it no longer has are gone") {
  Shop shop;
  CHECK(shop.page() != "");
  const Labels connect{{"phase", "connect"}};
  shop.run({{"probe_http_status_code", 200, {}}, {"probe_http_duration_seconds", 0.25, connect}, {"jobs", 3, {}}});
  const std::string common = "{probe=\"http\",service=\"order\"}";
  const std::string head =
      "fettle_probe_interval_seconds" + common + " 5\nfettle_probe_last_run_timestamp_seconds" + common + " ";
  const std::string success = "\nfettle_probe_up" + common + " 1\n";
  const std::string duration = "probe_duration_seconds" + common + " 0\n";
  CHECK(shop.page() == head + "1" + success + "jobs" + common + " 3\n" + duration +
                           "probe_http_duration_seconds{phase=\"connect\",probe=\"http\",service=\"order\"} 0.25\n" +
                           "probe_http_status_code" + common + " 200\nprobe_success" + common + " 1\n");
  shop.run({{"probe_http_status_code", 503, {}}});
  CHECK(shop.page() ==
        head + "2" + success + duration + "probe_http_status_code" + common + " 503\nprobe_success" + common + " 1\n");
}

TEST_CASE("where the agent could not look the page has what was found before, and nothing if it never could") {
  Shop shop;
  const std::string common = "{probe=\"http\",service=\"order\"}";
  shop.blind_run();
  CHECK(shop.page() ==
        "fettle_probe_interval_seconds" + common + " 5\nfettle_probe_last_run_timestamp_seconds" + common + " 1\n");
  shop.run({{"probe_http_status_code", 200, {}}});
  std::string page = shop.page();
  shop.blind_run();
  page.replace(page.find(" 2\n"), 3, " 3\n");  // when it ran last
  CHECK(shop.page() == page);
  CHECK(page.find("probe_success" + common + " 1\n") != std::string::npos);
}

TEST_CASE("series are made once and shared by pages until one of them is another") {
  Shop shop;
  const auto series = [&] { return shop.blocks.probes({shop.status})[0]->series; };
  const Labels a{{"phase", "a"}}, b{{"phase", "b"}};
  shop.run({{"probe_x", 1, a}});
  const auto first = series();
  shop.run({{"probe_x", 2, a}});
  CHECK(series() == first);
  SUBCASE("a label") { shop.run({{"probe_x", 2, b}}); }
  SUBCASE("a name") { shop.run({{"probe_y", 2, a}}); }
  SUBCASE("a type") { shop.run({{"probe_x", 2, a, MetricType::counter}}); }
  SUBCASE("one more") { shop.run({{"probe_x", 2, a}, {"probe_x", 2, b}}); }
  SUBCASE("one less") { shop.run({}); }
  SUBCASE("the probe's own labels") {
    shop.spec.labels = Labels{{"tier", "trading"}};
    CHECK(shop.page().find("probe_x{phase=\"a\",probe=\"http\",service=\"order\",tier=\"trading\"} 2\n") !=
          std::string::npos);
  }
  CHECK(series() != first);
}

TEST_CASE("what is said of a probe that goes without a run is on the next page") {
  Shop shop;
  shop.run({});
  shop.status.health = model::Health::unknown;
  CHECK(shop.page().find("fettle_probe_up") == std::string::npos);
  shop.spec.interval = base::Millis{1500};
  CHECK(shop.page().find("fettle_probe_interval_seconds{probe=\"http\",service=\"order\"} 1.5\n") == 0);
}

TEST_CASE("the series of a probe go with it, and so does their memory") {
  Shop shop;
  shop.run({{"probe_x", 1, {}}});
  std::weak_ptr<const std::vector<model::MetricSeries>> series = shop.blocks.probes({shop.status})[0]->series;
  std::weak_ptr<const model::MetricFamily> family = series.lock()->back().family;
  probe::Spec other_spec;
  other_spec.service = "order";
  other_spec.name = "tcp";
  probe::Status other;
  other.spec = &other_spec;
  CHECK(shop.blocks.probes({other, shop.status}).size() == 2);
  CHECK_FALSE(series.expired());
  CHECK(shop.blocks.probes({other}).size() == 1);
  CHECK(series.expired());
  CHECK(family.expired());
}

TEST_CASE("families are shared by probes, and go when nothing is of them") {
  app::SharedFamilies families;
  const auto gauge = families.get("x", "Help.", MetricType::gauge);
  CHECK(families.get("x", "Other help.", MetricType::gauge) == gauge);
  CHECK(families.get("x", "Help.", MetricType::counter) != gauge);
  families.forget_unused();
  CHECK(families.get("x", "", MetricType::gauge) == gauge);
}

TEST_CASE("services are said by their health, their labels, maintenance and dependencies") {
  app::MetricBlocks blocks;
  std::vector<std::pair<std::string, config::Service>> services(2);
  services[0].first = "order";
  services[0].second.labels = Labels{{"tier", "trading"}};
  services[0].second.depends_on = {"redis"};
  services[1].first = "redis";
  const std::map<std::string, app::ServiceHealth> health{
      {"order", {model::Health::down, {}, model::Reason::refused, ""}}};
  const auto block = blocks.services(services, health, {{"redis", "ada: disk"}});
  model::MetricPage page;
  page.blocks = {block};
  const std::string text = encoding::expose({}, page, encoding::Exposition::text);
  for (const char* line :
       {"\nfettle_service_up{service=\"order\"} 0\n", "\nfettle_service_info{service=\"order\",tier=\"trading\"} 1\n",
        "\nfettle_service_dependency{depends_on=\"redis\",service=\"order\"} 1\n",
        "\nfettle_maintenance{service=\"order\"} 0\nfettle_maintenance{service=\"redis\"} 1\n"}) {
    CAPTURE(line);
    CHECK(text.find(line) != std::string::npos);
  }
  CHECK(text.find("fettle_service_up{service=\"redis\"}") == std::string::npos);  // unknown
  CHECK(blocks.services(services, health, {})->series == block->series);
  services[1].second.labels = Labels{{"tier", "cache"}};
  CHECK(blocks.services(services, health, {})->series != block->series);
}
