#include "cli/rule_debug.h"
#include "base/percent.h"

#include <doctest/doctest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "cli/client.h"
#include "cli/expression_values.h"
#include "promql/parser.h"

namespace {

// Answers of an agent: the rules, and queries by their text; what is not here has no series.
struct Answers {
  std::string rules;
  std::map<std::string, std::string> queries;  // expression to resultType and result

  base::Result<std::string> operator()(const std::string& path) const {
    if (path == "/api/v1/rules?type=alert") return rules;
    for (const auto& [expr, answer] : queries)
      if (path ==
          "/api/v1/query?query=" + base::percent_encode(expr) + "&time=" + base::percent_encode("2026-11-24T03:00:30Z"))
        return R"({"status":"success","data":)" + answer + "}";
    return std::string(R"({"status":"success","data":{"resultType":"vector","result":[]}})");
  }
};

std::string vector_of(const std::string& rows) { return R"({"resultType":"vector","result":[)" + rows + "]}"; }

std::string rule(const std::string& query, const std::string& state, const std::string& alerts,
                 const std::string& more = R"("health":"ok")") {
  return R"({"status":"success","data":{"groups":[{"name":"shop","file":"/r.yml","interval":5,"rules":[{"state":")" +
         state + R"(","name":"Down","query":")" + query + R"(","duration":30,"keepFiringFor":60,"alerts":[)" + alerts +
         "]," + more + R"(,"evaluationTime":0.0002,"lastEvaluation":"2026-11-24T03:00:30Z","type":"alerting"}]}]}})";
}

constexpr char kOrder[] = R"({"metric":{"__name__":"up","service":"order"},"value":[0,"0"]})";
constexpr char kPayment[] = R"({"metric":{"__name__":"up","service":"payment"},"value":[0,"1"]})";

}  // namespace

TEST_CASE("a pending alert says how long it has to hold, and shows the value of each part") {
  const Answers answers{rule("up == 0", "pending",
                             R"({"labels":{"alertname":"Down","service":"order"},"annotations":{},"state":"pending",)"
                             R"("activeAt":"2026-11-24T03:00:18Z","value":"0e+00"})"),
                        {{"up == 0", vector_of(kOrder)}, {"up", vector_of(std::string(kOrder) + "," + kPayment)}}};
  const auto found = cli::debug_rule("Down", answers, base::Colour::never);
  REQUIRE(found.has_value());
  CHECK_FALSE(found->bad);
  CHECK(found->text == R"(alert Down is pending
  rule        group shop of /r.yml
  expression  up == 0
  for         30s, keep_firing_for 1m
  evaluated   2026-11-24T03:00:30Z, every 5s, took 0.200 ms, without an error

alerts
  pending {service="order"} value 0e+00, since 2026-11-24T03:00:18Z
      active for 12s of 30s; fires in 18s if it goes on to hold

values at the last evaluation
  up == 0: 1 series
      up{service="order"} 0
    up: 2 series
        up{service="order"} 0
        up{service="payment"} 1
)");
}

TEST_CASE("a quiet alert says at which part its expression ended") {
  const Answers answers{rule("up == 0", "inactive", ""), {{"up", vector_of(kPayment)}}};
  const auto found = cli::debug_rule("Down", answers, base::Colour::never);
  REQUIRE(found.has_value());
  CHECK(found->text.ends_with(R"(
values at the last evaluation
  up == 0: no series
    up: 1 series
        up{service="payment"} 1

why nothing is found
  up == 0 does not hold for the one series there is
)"));
}

TEST_CASE("a firing alert that is only kept says until when, and an error of the rule stands out") {
  const Answers kept{rule("up == 0", "firing",
                          R"({"labels":{"alertname":"Down"},"annotations":{},"state":"firing","value":"0e+00",)"
                          R"("activeAt":"2026-11-24T02:00:00Z","keepFiringSince":"2026-11-24T03:00:10Z"})"),
                     {}};
  const auto found = cli::debug_rule("Down", kept, base::Colour::never);
  REQUIRE(found.has_value());
  CHECK(found->bad);
  CHECK(found->text.find("the expression does not hold any more since 2026-11-24T03:00:10Z; resolves in 40s unless it "
                         "holds again\n") != std::string::npos);
  const Answers failing{rule("up == 0", "inactive", "", R"("health":"err","lastError":"many-to-many")"), {}};
  CHECK(cli::debug_rule("Down", failing, base::Colour::never)->text.find("with an error: many-to-many\n") !=
        std::string::npos);
}

TEST_CASE("as JSON a rule is as in the API, with what was found") {
  const Answers answers{rule("up == 0", "inactive", ""), {{"up", vector_of(kPayment)}}};
  const auto found = cli::debug_rule("Down", answers, base::Colour::never);
  REQUIRE(found.has_value());
  const auto json = nlohmann::json::parse(found->json);
  CHECK(json.at("alert") == "Down");
  const auto& one = json.at("rules").at(0);
  CHECK(one.at("group") == "shop");
  CHECK(one.at("file") == "/r.yml");
  CHECK(one.at("rule").at("query") == "up == 0");
  CHECK(one.at("values").get<std::string>().find("payment") != std::string::npos);
  CHECK_FALSE(one.at("reasons").empty());
}

TEST_CASE("an alert that is not there is answered with the nearest name") {
  const Answers answers{rule("up", "inactive", ""), {}};
  CHECK(cli::debug_rule("Dwn", answers, base::Colour::never).error().text ==
        "the agent has no alert Dwn; did you mean Down?");
  CHECK(cli::debug_rule("SomethingElse", answers, base::Colour::never).error().text ==
        "the agent has no alert SomethingElse; there are: Down");
}

TEST_CASE("the reason for an empty result is the part at which it ended") {
  struct Row {
    const char* expr;
    std::vector<std::string> want;
  };
  // a has two series, b one; all else has none.
  const auto reasons = [](const std::string& expr) {
    cli::ExpressionValues values([](const std::string& part) {
      cli::ExpressionValues::Found found;
      found.is_vector = true;
      if (part == "a" || part == "sum(a)") found.rows = {{"a{x=\"1\"}", "1"}, {"a{x=\"2\"}", "2"}};
      if (part == "b" || part == "b > 0") found.rows = {{"b", "3"}};
      return found;
    });
    return values.why_empty(*promql::parse(expr).expr);
  };
  for (const Row& row : std::vector<Row>{
           {"a", {}},
           {"c", {"no series matches c"}},
           {"a > 5", {"a > 5 holds for none of 2 series"}},
           {"5 < b", {"5 < b does not hold for the one series there is"}},
           {"a and c", {"no series matches c"}},
           {"a and b > 0", {"no series of a has the labels of one of b > 0"}},
           {"a > 5 or c", {"a > 5 holds for none of 2 series", "no series matches c"}},
           {"a unless b", {"every series of a is taken away by one of b"}},
           {"c unless b", {"no series matches c"}},
           {"a * c", {"no series matches c"}},
           {"a * b", {"no series of a has the labels of one of b"}},
           {"sum(rate(c[5m])) > 1", {"no series matches c[5m]"}},
           {"absent(a)", {"absent(a) has no value: a has 2 series"}},
       }) {
    CAPTURE(row.expr);
    CHECK(reasons(row.expr) == row.want);
  }
}
