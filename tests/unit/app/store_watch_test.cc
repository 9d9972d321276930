#include "app/store_watch.h"

#include <doctest/doctest.h>

#include "app/samples.h"
#include "probe/registry.h"

using model::Labels;

namespace {

// A store with room for `max_series`, probes that measure, and the watch.
struct Watched {
  explicit Watched(std::size_t max_series) : store({.retention = base::Millis{7'200'000}, .max_series = max_series}) {}

  // A run that measures a series for each number from `first`.
  void run(const std::string& service, std::int64_t t, int first, int count) {
    probe::Spec spec;
    spec.service = service;
    spec.name = "app";
    probe::Run run;
    run.spec = &spec;
    run.started = base::wall_from_ms(t);
    run.outcome = model::Outcome::success("fine");
    for (int i = first; i < first + count; ++i)
      run.outcome.measurements.push_back({"requests", 1.0 * i, Labels{{"id", std::to_string(i)}}});
    samples.append_run(run, run.started);
    samples.append_service(service, model::Health::up, base::wall_from_ms(t));
  }
  std::size_t found(const char* name, const std::string& service) const {
    return store.select({model::Matcher::equal("__name__", name), model::Matcher::equal("service", service)}).size();
  }

  store::Store store;
  app::Samples samples{store, Labels{{"job", "fettle"}, {"instance", "n1"}}};
  app::StoreWatch watch{store};
  base::Instant now{std::chrono::hours{1}};
};

}  // namespace

TEST_CASE("an application whose labels change takes no other probe's room, and never that of health and alerts") {
  Watched watched(2000);
  for (int i = 0; i < 100; ++i) watched.run("order", 1000 * i, 500 * i, 500);
  CHECK(watched.store.stats().series <= 2000);
  // A service that comes now has its health and its measurements, and an alert has its series.
  watched.run("payment", 200'000, 0, 50);
  CHECK(watched.found("fettle_service_up", "payment") == 1);
  CHECK(watched.found("probe_success", "payment") == 1);
  CHECK(watched.found("requests", "payment") == 50);
  CHECK(watched.samples.append_rule({{"__name__", "ALERTS"}, {"alertname", "A"}}, {200'000, 1}));
  watched.watch.look(watched.now);
  // 500 of this run, 500 of the one before that have ended, and probe_duration_seconds.
  REQUIRE(watched.watch.troubles().size() == 1);
  CHECK(watched.watch.troubles()[0] ==
        "The series of order/app come and go: of those that have ended it keeps the newest, 1001 in all.");
  watched.watch.look(watched.now + std::chrono::minutes{10});
  CHECK(watched.watch.troubles().empty());
}

TEST_CASE("a store that living series have filled refuses measurements, and says whose they are") {
  Watched watched(100);
  watched.run("order", 1000, 0, 300);
  CHECK(watched.store.stats().refused_limit == 300 + 1 - 90);  // probe_duration_seconds is measured as well
  watched.run("payment", 1000, 0, 10);
  CHECK(watched.found("probe_success", "payment") == 1);
  CHECK(watched.found("fettle_service_up", "payment") == 1);
  CHECK(watched.found("requests", "payment") == 0);
  watched.watch.look(watched.now);
  REQUIRE(watched.watch.troubles().size() == 1);
  CHECK(watched.watch.troubles()[0] ==
        "The store is full: storage.max_series is 100. New series of probes are refused; health and alerts have room "
        "of their own. order/app has the most, 90.");
  watched.watch.look(watched.now + std::chrono::minutes{10});
  CHECK(watched.watch.troubles().empty());
}

TEST_CASE("a rule with too many series, and what had to go, is said") {
  Watched watched(100);
  watched.run("order", 1000, 0, 69);
  const auto record = [&](const char* name, int count) {
    int got = 0;
    for (int i = 0; i < count; ++i)
      if (watched.samples.append_rule({{"__name__", name}, {"n", std::to_string(i)}}, {1000, 1})) ++got;
    return got;
  };
  CHECK(record("orders:wide", 50) == 21);  // all that is left but for what is kept
  CHECK(record("orders:sum", 1) == 1);     // for one of the other's
  // What the store has refused does not begin only to end.
  const std::size_t series = watched.store.stats().series;
  CHECK(watched.samples.append_rule({{"__name__", "orders:wide"}, {"n", "49"}}, {2000, model::stale_marker()}));
  CHECK(watched.store.stats().series == series);
  CHECK(watched.found("requests", "order") == 69);
  watched.watch.look(watched.now);
  REQUIRE(watched.watch.troubles().size() == 2);
  CHECK(watched.watch.troubles()[0] ==
        "The store has no room for all series of rules: storage.max_series is 100. Those with the most are refused "
        "more: the recording orders:wide has 20.");
  CHECK(watched.watch.troubles()[1] ==
        "The store had no room: living series had to go for health, alerts or rules with fewer series, 1 in all, the "
        "last of the recording orders:wide.");
  // In a store that is full health comes all the same; measured series take what recordings have beyond their part.
  watched.run("order", 2000, 0, 300);
  watched.run("payment", 2000, 0, 0);
  watched.run("stock", 2000, 0, 0);
  CHECK(watched.found("fettle_service_up", "stock") == 1);
  watched.watch.look(watched.now + std::chrono::minutes{1});
  REQUIRE(watched.watch.troubles().size() == 3);
  CHECK(watched.watch.troubles()[2] ==
        "The store had no room: living series had to go for health, alerts or rules with fewer series, 4 in all, the "
        "last of order/app.");
  watched.watch.look(watched.now + std::chrono::minutes{11});
  CHECK(watched.watch.troubles().empty());
}

TEST_CASE("a configuration whose probes measure more than the store may hold is told so") {
  config::Errors errors;
  const auto spec = probe::spec_from_arguments("http", "http://127.0.0.1:1/", {});
  REQUIRE(spec.has_value());
  const std::vector<const probe::Spec*> few(100, &*spec), many(10'000, &*spec);
  CHECK(app::too_many_series(few, 20'000) == "");
  const std::string text = app::too_many_series(many, 20'000);
  CHECK_MESSAGE(text.starts_with("storage.max_series is 20000, and 10000 probes measure "), text);
  CHECK(app::too_many_series(many, 1'000'000) == "");
  // What the agent says of itself wants room as well.
  CHECK(app::too_many_series({&*spec}, 100).starts_with("storage.max_series is 100, and 1 probes measure "));
}
