#include "app/families.h"

#include <doctest/doctest.h>

#include <string>

#include "encoding/exposition_families.h"
#include "encoding/exposition_writer.h"
#include "probe/registry.h"

using model::MetricType;

TEST_CASE("what a service declares is what its samples are on our page") {
  model::Outcome outcome = model::Outcome::success("ok");
  outcome.measurements = {
      {"orders_total", 1, {}, MetricType::counter},
      {"old_counter", 2, {}, MetricType::counter},
      {"temperature", 3, {}, MetricType::gauge},
      {"odd_count", 4, {}, MetricType::gauge},
      {"took_bucket", 5, {{"le", "+Inf"}}, MetricType::histogram},
      {"took_count", 6, {}, MetricType::histogram},
      {"build_info", 7, {}, MetricType::info},
      {"loose", 8, {}},
  };
  app::Families families;
  app::add_outcome(families, outcome, {{"service", "order"}, {"probe", "metrics"}});
  const auto all = families.take();
  const std::string page = encoding::expose(all, encoding::Exposition::text);
  for (const char* line :
       {"# TYPE orders_total counter\n", "# TYPE old_counter untyped\n", "# TYPE temperature gauge\n",
        "# TYPE odd_count untyped\n", "# TYPE took histogram\n", "# TYPE loose untyped\n"}) {
    CAPTURE(line);
    CHECK(page.find(line) != std::string::npos);
  }
  const auto read = encoding::parse_exposition(page);
  REQUIRE(read);
  CHECK(encoding::lint(*read).empty());
  CHECK(encoding::expose(all, encoding::Exposition::openmetrics).find("# TYPE orders counter\n") != std::string::npos);
}

TEST_CASE("the measurements of all probe types pass the lint") {
  app::Families families;
  for (const probe::Type* type : probe::types()) {
    model::Outcome outcome = model::Outcome::success("ok");
    for (const std::string_view name : type->measurements) outcome.measurements.push_back({std::string(name), 1, {}});
    if (type->other_measurements)
      for (const std::string_view name : *type->other_measurements)
        outcome.measurements.push_back({std::string(name), 1, {}});
    app::add_outcome(families, outcome, {{"probe", std::string(type->name)}});
  }
  const auto read = encoding::parse_exposition(encoding::expose(families.take(), encoding::Exposition::text));
  REQUIRE(read);
  const auto findings = encoding::lint(*read);
  CHECK_MESSAGE(findings.empty(), (findings.empty() ? "" : findings.front()));
  for (const auto& family : *read) {
    CAPTURE(family.name);
    CHECK(family.help.find("reference says") == std::string::npos);
  }
}
