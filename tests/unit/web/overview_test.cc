#include <doctest/doctest.h>

#include <fmt/format.h>

#include <string>

#include "fakes/shop_snapshot.h"
#include "web/pages/overview.h"
#include "web/pages/status_page.h"
#include "web/server/event_stream.h"

namespace {

web::Snapshot many(std::size_t services) {
  web::Snapshot shop = fakes::shop_snapshot();
  const web::ServicePage like = shop.services.back();
  shop.services.clear();
  for (std::size_t i = 0; i < services; ++i) {
    web::ServicePage& service = shop.services.emplace_back(like);
    service.name = fmt::format("service-{:03}", i);
    service.labels = {{"id", service.name}, {"tier", i % 2 == 0 ? "data" : "web"}};
    service.depends_on.clear();
  }
  return shop;
}

std::vector<std::string> names(const std::vector<const web::ServicePage*>& services) {
  std::vector<std::string> out;
  for (const auto* each : services) out.push_back(each->name);
  return out;
}

}  // namespace

TEST_CASE("down first, then what needs a look; the others in groups of a label") {
  web::Snapshot shop = many(40);
  shop.services[30].health = model::Health::down;
  shop.services[3].maintenance = "disk";
  shop.services[5].health = model::Health::unknown;
  const web::Overview all = web::overview(shop, {});
  CHECK(names(all.cards) == std::vector<std::string>{"service-030", "service-005", "service-003"});
  CHECK(all.by == "tier");
  CHECK(all.labels == std::vector<std::string>{"tier"});  // id has a value for each service
  REQUIRE(all.groups.size() == 2);
  CHECK(all.groups[0].name == "tier=data");
  CHECK(all.groups[0].shown.size() == 19);
  CHECK(all.groups[1].up == 18);
  const web::Overview plain = web::overview(shop, {"", "", false});
  REQUIRE(plain.groups.size() == 1);
  CHECK(plain.groups[0].shown.size() == 37);
}

TEST_CASE("few services are all shown in full") {
  const web::Overview few = web::overview(many(8), {});
  CHECK(few.cards.size() == 8);
  CHECK(few.groups.empty());
}

TEST_CASE("a search finds names, labels, targets and states, all words at once") {
  web::Snapshot shop = many(40);
  shop.services[7].health = model::Health::down;
  struct Row {
    std::string search;
    std::size_t found;
  };
  for (const Row& row : {Row{"SERVICE-007", 1}, Row{"down", 1}, Row{"tier=web", 20}, Row{" tier=web  up ", 19},
                         Row{"127.0.0.1:6379", 40}, Row{"nothing", 0}, Row{"007 data", 0}}) {
    CAPTURE(row.search);
    const web::Overview found = web::overview(shop, {row.search, {}, true});
    std::size_t count = found.cards.size();
    for (const auto& group : found.groups) count += group.shown.size();
    CHECK(count == row.found);
  }
}

TEST_CASE("the size of the page follows what is shown") {
  for (const bool down : {false, true}) {
    web::Snapshot shop = many(500), more = many(5000);
    for (auto* each : {&shop, &more})
      for (web::ServicePage& service : each->services)
        if (down) service.health = model::Health::down;
    CAPTURE(down);
    const std::size_t size = web::status_page(shop).size();
    CHECK(size < 100'000);
    CHECK(web::status_page(more).size() < size + 1'000);
    CHECK(web::status_page(shop, {"", {}, true}).find("service-499") != std::string::npos);
    CHECK(web::status_page(shop, {"service-499", {}, false}).find("services/service-499\"") != std::string::npos);
  }
}

TEST_CASE("the address of a view is what it was made of") {
  web::Request request;
  web::add_params("q=a%26b+c&by=&all=1", request.params);
  CHECK(web::view_of(request).query() == "?q=a%26b+c&by=&all=1");
  CHECK(web::view_of({}).query() == "");
}

TEST_CASE("a stream hears at once what changed in words, and later what was measured") {
  web::Snapshot shop = many(4);
  web::EventWriter writer;
  base::Instant now{std::chrono::hours(1)};
  CHECK(writer.news(shop, now).find("\"lists\":{\"cards\":[\"s-service-000\",") != std::string::npos);
  shop.at += std::chrono::hours(1);  // only how long ago things were
  CHECK(writer.news(shop, now) == "");
  shop.services[1].probes[0].took_seconds = 0.5;
  CHECK(writer.news(shop, now) == "");
  now += web::EventWriter::kMeasurements;
  CHECK(writer.news(shop, now).find("\"fragments\":{\"s-service-001\":") != std::string::npos);
  shop.services[1].health = model::Health::down;
  const std::string down = writer.news(shop, now);
  CHECK(down.find("\"lists\":{\"cards\":[\"s-service-001\",\"s-service-000\",") != std::string::npos);
  CHECK(down.find("\"s-service-000\":\"") == std::string::npos);
  shop.services.pop_back();
  CHECK(writer.news(shop, now).find("s-service-003") == std::string::npos);
}
