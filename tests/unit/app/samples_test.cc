#include "app/samples.h"

#include <doctest/doctest.h>

using model::Labels;

namespace {

const Labels kTarget{{"job", "fettle"}, {"instance", "node1:10911"}};

struct Shop {
  store::Store store{{.retention = base::Millis{7'200'000}, .max_series = 20'000}};
  app::Samples samples{store, kTarget};
  probe::Spec spec;
  Shop() {
    spec.service = "order";
    spec.name = "http";
  }

  void run(std::int64_t t, model::Outcome outcome) {
    probe::Run run;
    run.spec = &spec;
    run.started = base::wall_from_ms(t);
    run.outcome = std::move(outcome);
    samples.append_run(run, run.started);
  }
  void page(model::MetricPage page, base::WallTime at, base::Millis every) {
    samples.begin_page(std::move(page), at, every);
    samples.finish_page();
  }
  // "t=v t=v" of the one series with these labels; a stale marker is "end".
  std::string series(const Labels& labels) {
    std::string out;
    for (const store::Found& found : store.select({model::Matcher::equal("__name__", labels.metric_name())})) {
      if (found.labels != labels) continue;
      std::vector<model::Sample> samples_of;
      store.read(found.id, 0, 1'000'000, samples_of);
      for (const model::Sample& s : samples_of)
        out += (out.empty() ? "" : " ") + std::to_string(s.t) + "=" +
               (model::is_stale(s.v) ? "end" : std::to_string(static_cast<int>(s.v)));
    }
    return out;
  }
};

Labels of_probe(const char* name) {
  return kTarget.merged(Labels{{"__name__", name}, {"service", "order"}, {"probe", "http"}});
}

}  // namespace

TEST_CASE("a run is stored at the time it started, under the labels that a scrape would give it") {
  Shop shop;
  shop.run(1000, model::Outcome::success("fine"));
  shop.run(2000, model::Outcome::failure(model::Reason::refused, "refused"));
  CHECK(shop.series(of_probe("probe_success")) == "1000=1 2000=0");
}

TEST_CASE("a run that could not look stores again what the one before it found") {
  Shop shop;
  probe::Run run;
  run.spec = &shop.spec;
  run.started = base::wall_from_ms(1000);
  run.outcome = model::Outcome::success("200");
  run.outcome.measurements.push_back({"probe_http_status_code", 200, {}});
  shop.samples.append_run(run, run.started);
  shop.samples.append_run(run, base::wall_from_ms(2000));
  CHECK(shop.series(of_probe("probe_success")) == "1000=1 2000=1");
  CHECK(shop.series(of_probe("probe_http_status_code")) == "1000=200 2000=200");
}

TEST_CASE("samples are evenly apart while runs are hardly late, and never from later than now") {
  struct Row {
    std::int64_t last;
    int every;
    std::int64_t at, want;
  };
  for (const Row& row :
       {Row{1000, 5000, 6000, 6000}, Row{1000, 5000, 6001, 6000}, Row{1000, 5000, 6002, 6000},
        Row{1000, 5000, 6003, 6003}, Row{1000, 5000, 5999, 5999}, Row{1000, 200, 1202, 1200},
        Row{1000, 100, 1101, 1100}, Row{1000, 100, 1102, 1102}, Row{0, 5000, 1'796'005'788'957, 1'796'005'788'957},
        Row{1000, 5000, 16'000, 16'000}, Row{9000, 5000, 4000, 4000}}) {
    CAPTURE(row.at);
    CHECK(app::aligned(row.last, base::Millis{row.every}, row.at) == row.want);
  }
  Shop shop;
  shop.spec.interval = base::Millis{1000};
  for (const std::int64_t t : {1000, 2001, 3002, 4000, 5003, 6003}) shop.run(t, model::Outcome::success("fine"));
  CHECK(shop.series(of_probe("probe_success")) == "1000=1 2000=1 3000=1 4000=1 5003=1 6003=1");
}

TEST_CASE("labels that a service, a database or a peer named stand beside ours and take the place of none") {
  const Labels ours{{"service", "order"}, {"probe", "sql"}, {"zone", "eu"}};
  struct Row {
    Labels own, want;
  };
  for (const Row& row : std::initializer_list<Row>{
           {{{"state", "open"}}, ours.with("state", "open")},
           {{{"service", "payment"}}, ours.with("exported_service", "payment")},
           {{{"probe", "x"}, {"zone", "us"}}, ours.with("exported_probe", "x").with("exported_zone", "us")},
           {{{"job", "x"}, {"instance", "y"}}, ours.with("exported_job", "x").with("exported_instance", "y")},
           {{{"service", "a"}, {"exported_service", "b"}},
            ours.with("exported_service", "b").with("exported_exported_service", "a")},
           {{{"__name__", "ALERTS"}, {"state", "open"}}, ours.with("state", "open")},
       })
    CHECK(app::with_own_renamed(ours, row.own) == row.want);
  // The answer of /probe has no labels of ours.
  CHECK(app::with_own_renamed({}, Labels{{"service", "a"}}) == Labels{{"service", "a"}});

  Shop shop;
  model::Outcome outcome = model::Outcome::success("fine");
  outcome.measurements.push_back({"rows", 3, {{"service", "payment"}, {"instance", "node2:10911"}}});
  shop.run(1000, outcome);
  CHECK(shop.series(of_probe("rows").with("exported_service", "payment").with("exported_instance", "node2:10911")) ==
        "1000=3");
}

TEST_CASE("a run that confirms an event in the same millisecond as the last one has the last word") {
  Shop shop;
  shop.run(1000, model::Outcome::success("fine"));
  shop.samples.append_service("order", model::Health::up, base::wall_from_ms(1000));
  shop.run(1000, model::Outcome::failure(model::Reason::process_gone, "killed"));
  shop.samples.append_service("order", model::Health::down, base::wall_from_ms(1000));
  CHECK(shop.series(of_probe("probe_success")) == "1000=0");
  CHECK(shop.series(kTarget.merged(Labels{{"__name__", "fettle_service_up"}, {"service", "order"}})) == "1000=0");
}

TEST_CASE("a measurement that a run no longer has ends, and begins again") {
  Shop shop;
  model::Outcome good = model::Outcome::success("200");
  good.measurements.push_back({"probe_http_status_code", 200, {}});
  good.measurements.push_back({"probe_http_duration_seconds", 3, Labels{{"phase", "connect"}}});
  shop.run(1000, good);
  shop.run(2000, model::Outcome::failure(model::Reason::refused, "refused"));
  shop.run(3000, good);
  CHECK(shop.series(of_probe("probe_http_status_code")) == "1000=200 2000=end 3000=200");
  CHECK(shop.series(of_probe("probe_http_duration_seconds").with("phase", "connect")) == "1000=3 2000=end 3000=3");
}

TEST_CASE("a reload that changes only a probe's labels ends its series and begins them anew") {
  Shop shop;
  probe::Status status;
  status.spec = &shop.spec;
  shop.run(1000, model::Outcome::success("fine"));
  shop.samples.keep_only({status}, base::wall_from_ms(1500));
  CHECK(shop.series(of_probe("probe_success")) == "1000=1");
  shop.spec.labels = Labels{{"tier", "trading"}};
  shop.samples.keep_only({status}, base::wall_from_ms(1600));
  shop.run(2000, model::Outcome::success("fine"));
  CHECK(shop.series(of_probe("probe_success")) == "1000=1 1600=end");
  CHECK(shop.series(of_probe("probe_success").with("tier", "trading")) == "2000=1");
}

TEST_CASE("a service has no series while it is unknown") {
  Shop shop;
  const Labels up = kTarget.merged(Labels{{"__name__", "fettle_service_up"}, {"service", "order"}});
  const auto at = [](std::int64_t t) { return base::wall_from_ms(t); };
  shop.samples.append_service("order", model::Health::unknown, at(1000));
  CHECK(shop.series(up) == "");
  CHECK(shop.samples.touched_by("order").empty());
  shop.samples.append_service("order", model::Health::up, at(2000));
  shop.samples.append_service("order", model::Health::down, at(3000));
  CHECK(shop.samples.touched_by("order") == std::vector<Labels>{up});
  shop.samples.append_service("order", model::Health::unknown, at(4000));
  CHECK(shop.series(up) == "2000=1 3000=0 4000=end");
}

TEST_CASE("the agent's own page is stored but for what runs store themselves") {
  Shop shop;
  const std::vector<model::MetricFamily> page{
      {"fettle_probe_runs", "", model::MetricType::counter, {{"_total", Labels{{"service", "order"}}, 7}}},
      {"probe_success", "", model::MetricType::gauge, {{"", Labels{{"service", "order"}}, 1}}}};
  shop.page({page, {}}, base::wall_from_ms(1000), base::Millis{1000});
  CHECK(shop.series(kTarget.merged(Labels{{"__name__", "fettle_probe_runs_total"}, {"service", "order"}})) == "1000=7");
  CHECK(shop.store.select({model::Matcher::equal("__name__", "probe_success")}).empty());
}

TEST_CASE("a long page is stored in parts, all of it at its own time, and what it no longer has ends") {
  Shop shop;
  const auto family = std::make_shared<const model::MetricFamily>(
      model::MetricFamily{"fettle_probe_up", "", model::MetricType::gauge, {}});
  // Two blocks of many series: what each probe has, without those that `left_out` says.
  const auto page = [&](int probes, int left_out) {
    model::MetricPage out;
    for (const char* zone : {"a", "b"}) {
      std::vector<model::MetricSeries> series;
      for (int i = 0; i < probes; ++i)
        if (i % 100 != left_out)
          series.push_back({family, "", Labels{{"zone", zone}, {"service", "s" + std::to_string(i)}}});
      std::vector<double> values(series.size(), 1);
      const std::size_t own = series.size();
      out.blocks.push_back(std::make_shared<const model::MetricBlock>(model::MetricBlock{
          std::make_shared<const std::vector<model::MetricSeries>>(std::move(series)), std::move(values), own}));
    }
    return out;
  };
  const auto of = [&](const char* zone, int i) {
    return shop.series(
        kTarget.merged(Labels{{"__name__", "fettle_probe_up"}, {"zone", zone}, {"service", "s" + std::to_string(i)}}));
  };
  const auto at = [](std::int64_t t) { return base::wall_from_ms(t); };
  shop.page(page(300, -1), at(1000), base::Millis{1000});
  // Others may write in between; the series that are new stand among those that are known.
  shop.samples.begin_page(page(500, 7), at(2000), base::Millis{1000});
  CHECK(shop.samples.append_page_part());
  shop.run(2500, model::Outcome::success("fine"));
  int parts = 1;
  while (shop.samples.append_page_part()) ++parts;
  CHECK(parts >= 3);
  CHECK_FALSE(shop.samples.append_page_part());
  for (const char* zone : {"a", "b"}) {
    CHECK(of(zone, 0) == "1000=1 2000=1");
    CHECK(of(zone, 7) == "1000=1 2000=end");
    CHECK(of(zone, 299) == "1000=1 2000=1");
    CHECK(of(zone, 499) == "2000=1");
  }
  // The next one is not begun before it is done, nor is the target another one.
  shop.samples.begin_page(page(500, 7), at(3000), base::Millis{1000});
  shop.samples.begin_page(page(500, 7), at(4000), base::Millis{1000});
  shop.samples.retarget(Labels{{"job", "other"}}, at(5000));
  CHECK(of("b", 499) == "2000=1 3000=1 4000=1 5000=end");
}

TEST_CASE("series of probes that a reload took away end") {
  Shop shop;
  shop.run(1000, model::Outcome::success("fine"));
  shop.samples.append_service("order", model::Health::up, base::wall_from_ms(1000));
  shop.samples.keep_only({}, base::wall_from_ms(5000));
  CHECK(shop.series(of_probe("probe_success")) == "1000=1 5000=end");
  CHECK(shop.series(kTarget.merged(Labels{{"__name__", "fettle_service_up"}, {"service", "order"}})) ==
        "1000=1 5000=end");
}

TEST_CASE("a rule's sample gets no labels of the target, as in Prometheus") {
  Shop shop;
  const Labels alerts{{"__name__", "ALERTS"}, {"alertname", "Down"}, {"job", "other"}};
  CHECK(shop.samples.append_rule(alerts, {1000, 1}));
  CHECK(shop.series(alerts) == "1000=1");
}

TEST_CASE("what was scraped from a service is written by its run, and not by the page again") {
  Shop shop;
  model::Outcome good = model::Outcome::success("1 sample");
  good.measurements.push_back({"process_open_fds", 7, {}});
  shop.run(1000, good);
  model::MetricFamily theirs{"process_open_fds", "", model::MetricType::gauge, {}};
  theirs.points.push_back({"", Labels{{"service", "order"}, {"probe", "http"}}, 8});
  theirs.points.push_back({"", {}, 9});
  shop.page({{theirs}, {}}, base::wall_from_ms(1500), base::Millis{1000});
  CHECK(shop.series(of_probe("process_open_fds")) == "1000=7");
  CHECK(shop.series(kTarget.merged(Labels{{"__name__", "process_open_fds"}})) == "1500=9");
}
