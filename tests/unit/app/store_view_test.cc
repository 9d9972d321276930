#include "app/store_view.h"

#include <doctest/doctest.h>

#include <deque>

#include "app/store_reader.h"
#include "base/random.h"
#include "fakes/fake_loop.h"
#include "promql/queryable.h"

using model::Labels;

namespace {

const std::vector<std::vector<model::Matcher>> kEverything{{}};

// Lets everything pass, and counts what it was asked.
struct FakeAsker final : web::Asker {
  int asked = 0;
  int patience = 1'000'000;  // questions until it has enough
  base::Result<> still_wanted() override {
    if (++asked > patience) return base::fail(base::Kind::cancelled, "enough");
    return {};
  }
  base::Result<> admit(const web::Load&) override { return {}; }
};

struct Reading {
  store::Store store{{.retention = base::Millis{7'200'000}, .max_series = 20'000}};
  fakes::FakeLoop loop;
  app::StoreReader reader{store, loop};
  FakeAsker asker;

  app::SeriesList list() {
    app::SeriesList out;
    reader.list([&](app::SeriesList found) { out = std::move(found); });
    loop.run_due();
    REQUIRE(out);
    return out;
  }
  app::StoreView view(const std::vector<promql::Needs>& needs, std::int64_t start, std::int64_t end) {
    const auto spans = app::spans_of(list(), needs, start, end, asker);
    REQUIRE(spans.has_value());
    std::vector<app::StoreView::Entry> entries;
    reader.copy(std::make_shared<const app::Spans>(*spans), [&](auto found) { entries = std::move(found); });
    loop.run_due();
    return app::StoreView(std::move(entries));
  }
  std::vector<Labels> alive(std::int64_t start, std::int64_t end) {
    const auto found = app::spans_of(list(), kEverything, start, end, asker);
    REQUIRE(found.has_value());
    const auto spans = std::make_shared<const app::Spans>(*found);
    std::vector<Labels> out;
    reader.alive(spans, [&](const auto& places) {
      for (const std::size_t place : places) out.push_back((*spans)[place].labels);
    });
    loop.run_due();
    return out;
  }
};

promql::Needs need(std::string_view name, std::string_view value, std::int64_t before, std::int64_t after = 0) {
  promql::Needs out;
  out.matchers = {model::Matcher::equal(name, value)};
  out.before_ms = before;
  out.after_ms = after;
  return out;
}

std::vector<model::Sample> read(const promql::Queryable& data, std::uint64_t id, std::int64_t from, std::int64_t to) {
  std::vector<model::Sample> out;
  data.read(id, from, to, out);
  return out;
}

}  // namespace

TEST_CASE("a view has each series once, over the widest span that any selector needs") {
  Reading reading;
  const Labels up{{"__name__", "up"}, {"job", "a"}};
  const Labels other{{"__name__", "other"}};
  for (std::int64_t t = 0; t <= 10'000; t += 1000) {
    REQUIRE(reading.store.append(up, {t, static_cast<double>(t)}).has_value());
    REQUIRE(reading.store.append(other, {t, 0}).has_value());
  }
  const auto spans = app::spans_of(reading.list(), {need("__name__", "up", 1000), need("job", "a", 4000, 1000)}, 8000,
                                   8000, reading.asker);
  REQUIRE(spans.has_value());
  REQUIRE(spans->size() == 1);
  CHECK((*spans)[0].labels == up);
  CHECK((*spans)[0].from == 4000);
  CHECK((*spans)[0].to == 9000);
  promql::Needs all = need("__name__", "up", 0);
  all.absolute = true;
  const app::StoreView view = reading.view({all}, 4000, 4000);
  REQUIRE(view.select(all.matchers).size() == 1);
  CHECK(read(view, 0, 0, 100'000).size() == 11);
  CHECK(view.select({model::Matcher::equal("__name__", "other")}).empty());
}

TEST_CASE("a view reads what the store reads, and stays what it was") {
  base::Random random(99);
  Reading reading;
  for (int step = 0; step < 8000; ++step) {
    const Labels labels{{"__name__", "m"}, {"i", std::to_string(random.below(100))}};
    REQUIRE(reading.store.append(labels, {step * 10, random.unit()}).has_value());
  }
  const app::StoreView view = reading.view({need("__name__", "m", 100'000)}, 80'000, 80'000);
  const auto found = view.select({});
  REQUIRE(found.size() == 100);
  for (const promql::SeriesRef& series : found) {
    const store::SeriesId id = *reading.store.find(series.labels);
    for (int query = 0; query < 50; ++query) {
      const auto from = static_cast<std::int64_t>(random.below(90'000)) - 5000;
      const auto to = from + static_cast<std::int64_t>(random.below(40'000));
      std::vector<model::Sample> want;
      reading.store.read(id, from, to, want);
      const auto got = read(view, series.id, from, to);
      REQUIRE(got.size() == want.size());
      for (std::size_t i = 0; i < got.size(); ++i) REQUIRE((got[i].t == want[i].t && got[i].v == want[i].v));
      model::Sample in_view, in_store;
      const bool has = view.last_at(series.id, from, to, in_view);
      REQUIRE(has == reading.store.last_at(id, from, to, in_store));
      if (has) REQUIRE((in_view.t == in_store.t && in_view.v == in_store.v));
    }
  }
  const std::size_t before = read(view, 0, 0, 1'000'000).size();
  REQUIRE(reading.store.append(found[0].labels, {90'000, 1}).has_value());
  reading.store.expire(1'000'000'000);
  CHECK(read(view, 0, 0, 1'000'000).size() == before);
}

TEST_CASE("a list of series is as new as its request, and is made once as long as no series comes or goes") {
  Reading reading;
  REQUIRE(reading.store.append({{"a", "1"}}, {1, 1}).has_value());
  const app::SeriesList first = reading.list();
  CHECK(first->size() == 1);
  REQUIRE(reading.store.append({{"a", "1"}}, {2, 1}).has_value());
  CHECK(reading.list() == first);
  REQUIRE(reading.store.append({{"a", "2"}}, {1, 1}).has_value());
  CHECK(reading.list()->size() == 2);
}

TEST_CASE("series are alive where they have a sample, and not only the end of an earlier life") {
  Reading reading;
  const Labels here{{"a", "here"}}, ended{{"a", "ended"}};
  for (std::int64_t t = 0; t < 10'000; t += 1000) REQUIRE(reading.store.append(here, {t, 1}).has_value());
  REQUIRE(reading.store.append(ended, {1000, 1}).has_value());
  REQUIRE(reading.store.append(ended, {5000, model::stale_marker()}).has_value());
  CHECK(reading.alive(0, 9000).size() == 2);
  CHECK(reading.alive(2000, 9000) == std::vector<Labels>{here});
  CHECK(reading.alive(1000, 5000).size() == 2);
  CHECK(reading.alive(20'000, 30'000).empty());
}

TEST_CASE("however much is asked for, a turn of the loop does a part of it, and each asker has his share") {
  // A clock that has moved a millisecond whenever it is looked at: each part takes a turn.
  struct TickingLoop final : loop::Scheduler {
    mutable base::Instant time{};
    std::deque<loop::Task> posted;
    base::Instant now() const override { return time += std::chrono::milliseconds{1}; }
    base::WallTime wall_now() const override { return {}; }
    loop::Handle at(base::Instant, loop::Task) override { return {}; }
    void post(loop::Task task) override { posted.push_back(std::move(task)); }
    int turns_until_idle() {
      int turns = 0;
      for (; !posted.empty(); ++turns) {
        const loop::Task task = std::move(posted.front());
        posted.pop_front();
        task();
      }
      return turns;
    }
  } loop;
  Reading reading;
  for (int i = 0; i < 5000; ++i) REQUIRE(reading.store.append({{"i", std::to_string(i)}}, {1, 1}).has_value());
  const auto all =
      std::make_shared<const app::Spans>(*app::spans_of(reading.list(), kEverything, 0, 10, reading.asker));
  const auto one = std::make_shared<const app::Spans>(app::Spans{all->front()});
  std::vector<std::string> order;
  app::StoreReader reader(reading.store, loop);
  reader.measure(all, [&](const web::Load& load) {
    CHECK(load.series == 5000);
    CHECK(load.samples == 5000);
    order.push_back("much");
  });
  reader.measure(one, [&](const web::Load& load) {
    CHECK(load.series == 1);
    order.push_back("little");
  });
  CHECK(loop.turns_until_idle() > 100);
  CHECK(order == std::vector<std::string>{"little", "much"});
  order.clear();
  reader.list([&](const app::SeriesList& list) {
    CHECK(list->size() == 5000);
    order.push_back("list");
  });
  reader.copy(all, [&](const auto& entries) {
    CHECK(entries.size() == 5000);
    order.push_back("copy");
  });
  reader.alive(all, [&](const auto& places) {
    CHECK(places.size() == 5000);
    order.push_back("alive");
  });
  CHECK(loop.turns_until_idle() > 200);
  CHECK(order.size() == 3);
}

TEST_CASE("who does not wait any more ends the search") {
  Reading reading;
  for (int i = 0; i < 5000; ++i) REQUIRE(reading.store.append({{"i", std::to_string(i)}}, {1, 1}).has_value());
  const app::SeriesList all = reading.list();
  const std::vector<std::vector<model::Matcher>> sets(10'000, {model::Matcher::equal("i", "x")});
  reading.asker.patience = 3;
  const auto ended = app::spans_of(all, sets, 0, 10, reading.asker);
  REQUIRE_FALSE(ended.has_value());
  CHECK(ended.error().text == "enough");
  CHECK(reading.asker.asked == 4);
  const std::vector<std::vector<model::Matcher>> twice(2, {model::Matcher::equal("i", "7")});
  reading.asker.patience = 1'000'000;
  CHECK(app::spans_of(all, twice, 0, 10, reading.asker)->size() == 1);
}
