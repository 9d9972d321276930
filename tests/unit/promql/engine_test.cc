#include "promql/engine.h"

#include <doctest/doctest.h>

#include <optional>

namespace {

using promql::MemoryQueryable;

model::Labels up(const char* job) { return {{"__name__", "up"}, {"job", job}}; }

// Counts what the engine asks for.
class Counting final : public promql::Queryable {
 public:
  explicit Counting(MemoryQueryable& inner) : inner_(inner) {}
  std::uint64_t generation() const override { return inner_.generation(); }
  std::vector<promql::SeriesRef> select(const std::vector<model::Matcher>& matchers) const override {
    ++selects;
    return inner_.select(matchers);
  }
  void read(std::uint64_t id, std::int64_t from, std::int64_t to, std::vector<model::Sample>& out) const override {
    ++reads;
    inner_.read(id, from, to, out);
  }
  bool last_at(std::uint64_t id, std::int64_t not_before, std::int64_t at, model::Sample& out) const override {
    return inner_.last_at(id, not_before, at, out);
  }
  mutable int selects = 0;
  mutable int reads = 0;

 private:
  MemoryQueryable& inner_;
};

promql::Vector vector_of(promql::Engine& engine, const promql::Expr& expr, const promql::Queryable& data,
                         std::int64_t t) {
  const auto value = engine.instant(expr, data, t);
  REQUIRE(value.has_value());
  return std::get<promql::Vector>(*value);
}

}  // namespace

TEST_CASE("series are looked up once as long as none is added") {
  MemoryQueryable inner;
  inner.append(up("a"), {1000, 1});
  const Counting data(inner);
  const auto expr = promql::parse("sum by (job) (up)");
  promql::Engine engine{promql::EngineOptions{}};
  for (int i = 0; i < 5; ++i) {
    inner.append(up("a"), {2000 + i, 2.0 + i});
    CHECK(vector_of(engine, *expr.expr, data, 2000 + i)[0].sample.v == 2.0 + i);
  }
  CHECK(data.selects == 1);
  inner.append(up("b"), {2000, 9});
  const auto both = vector_of(engine, *expr.expr, data, 3000);
  REQUIRE(both.size() == 2);
  CHECK(both[1].labels.to_string() == "{job=\"b\"}");
  CHECK(data.selects == 2);
}

TEST_CASE("an object that takes the address of a destroyed one is asked anew") {
  const auto expr = promql::parse("up");
  promql::Engine engine{promql::EngineOptions{}};
  std::optional<MemoryQueryable> data;
  for (const char* job : {"first", "second"}) {
    data.emplace();
    data->append(up(job), {1000, 1});
    const auto value = vector_of(engine, *expr.expr, *data, 1000);
    REQUIRE(value.size() == 1);
    CHECK(value[0].labels.get("job") == job);
  }
}

TEST_CASE("a range query reads every series once") {
  MemoryQueryable inner;
  for (std::int64_t t = 0; t < 600'000; t += 1000) inner.append(up("a"), {t, 1});
  const Counting data(inner);
  const auto expr = promql::parse("avg_over_time(up[1m]) + up");
  promql::Engine engine{promql::EngineOptions{}};
  const auto matrix = engine.range(*expr.expr, data, 60'000, 540'000, 1000);
  REQUIRE(matrix.has_value());
  REQUIRE(matrix->size() == 1);
  CHECK((*matrix)[0].samples.size() == 481);
  CHECK(data.reads == 2);
}

TEST_CASE("too many samples, a cancelled query and a passed deadline end the query with their own kind") {
  MemoryQueryable data;
  for (std::int64_t t = 0; t < 100; ++t) data.append(up("a"), {t, 1});
  const auto expr = promql::parse("sum_over_time(up[1m])");

  promql::Engine small({.max_samples = 50});
  const auto limited = small.range(*expr.expr, data, 0, 200, 1);
  REQUIRE_FALSE(limited.has_value());
  CHECK(limited.error().kind == base::Kind::limit);
  CHECK(limited.error().text == "query processing would load too many samples into memory in query execution");
  CHECK_FALSE(small.instant(*expr.expr, data, 100).has_value());

  const std::atomic<bool> cancelled = true;
  promql::Engine stopped({.cancelled = &cancelled});
  CHECK(stopped.instant(*expr.expr, data, 100).error().kind == base::Kind::cancelled);

  promql::Engine late({.timeout = base::Millis{-1}});
  CHECK(late.range(*expr.expr, data, 0, 200, 1).error().kind == base::Kind::timeout);
  CHECK(late.instant(*expr.expr, data, 0).error().text == "query timed out in expression evaluation");
}

TEST_CASE("a query ends when nobody waits for it any more, and a short one never asks") {
  MemoryQueryable data;
  for (std::int64_t t = 0; t < 100; ++t) data.append(up("a"), {t, 1});
  int asked = 0;
  constexpr std::int64_t kAges = std::int64_t{1} << 50;
  promql::Engine engine({.max_steps = 2 * kAges, .abandoned = [&] { return ++asked == 3; }});
  CHECK(engine.instant(*promql::parse("up").expr, data, 99).has_value());
  CHECK(asked == 0);
  // Far more steps than can be done before the third question.
  const auto ended = engine.range(*promql::parse("sum_over_time(up[1m])").expr, data, 0, kAges, 1);
  REQUIRE_FALSE(ended.has_value());
  CHECK(ended.error().kind == base::Kind::cancelled);
  CHECK(ended.error().text == "query was canceled in expression evaluation");
  CHECK(asked == 3);
}

TEST_CASE("only scalars and instant vectors have a range query, with sensible times") {
  const MemoryQueryable data;
  promql::Engine engine{promql::EngineOptions{}};
  CHECK(engine.range(*promql::parse("up[5m]").expr, data, 0, 1, 1).error().text ==
        "invalid expression type \"range vector\" for range query, must be Scalar or instant Vector");
  CHECK(engine.range(*promql::parse("'a'").expr, data, 0, 1, 1).error().text ==
        "invalid expression type \"string\" for range query, must be Scalar or instant Vector");
  CHECK_FALSE(engine.range(*promql::parse("up").expr, data, 0, 1, 0).has_value());
  CHECK_FALSE(engine.range(*promql::parse("up").expr, data, 1, 0, 1).has_value());
  CHECK_FALSE(engine.instant(*promql::parse("up").expr, data, INT64_MAX).has_value());
  CHECK(engine.range(*promql::parse("1").expr, data, 0, 10, 4)->at(0).samples.size() == 3);
}

TEST_CASE("after an error the engine answers as before") {
  MemoryQueryable data;
  data.append(up("a"), {0, 1});
  data.append({{"__name__", "down"}, {"job", "a"}}, {0, 1});
  promql::Engine engine{promql::EngineOptions{}};
  const auto bad = promql::parse("-{job=\"a\"}");
  const auto good = promql::parse("up + on (job) down");
  for (int i = 0; i < 3; ++i) {
    CHECK(engine.instant(*bad.expr, data, 0).error().text == "vector cannot contain metrics with the same labelset");
    CHECK(vector_of(engine, *good.expr, data, 0).at(0).sample.v == 2);
  }
}

TEST_CASE("names that differ only over time still clash in functions of ranges") {
  MemoryQueryable data;
  data.append(up("a"), {0, 1});
  data.append({{"__name__", "up2"}, {"job", "a"}}, {600'000, 1});
  promql::Engine engine{promql::EngineOptions{}};
  const auto expr = promql::parse("count_over_time({job=\"a\"}[1m])");
  CHECK(engine.instant(*expr.expr, data, 0).has_value());
  CHECK_FALSE(engine.range(*expr.expr, data, 0, 600'000, 60'000).has_value());
}

TEST_CASE("more expressions than are kept all get their answers") {
  MemoryQueryable data;
  data.append(up("a"), {0, 1});
  promql::Engine engine{promql::EngineOptions{}};
  const auto kept = promql::parse("up");
  for (int i = 0; i < 9000; ++i) {
    const auto expr = promql::parse("up + " + std::to_string(i));
    CHECK(vector_of(engine, *expr.expr, data, 0).at(0).sample.v == 1 + i);
    if (i % 1000 == 0) CHECK(vector_of(engine, *kept.expr, data, 0).size() == 1);
  }
}
