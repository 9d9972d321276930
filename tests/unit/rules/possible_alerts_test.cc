// The alerts that rules may make, with what is known of their labels before one fires.
#include "rules/tools/possible_alerts.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "config/rule_file.h"

namespace {

constexpr char kRules[] = R"(
groups:
  - name: g
    labels: {region: eu}
    rules:
      - {alert: ServiceDown, expr: fettle_service_up == 0, labels: {severity: critical}}
      - {alert: OrderSlow, expr: 'probe_duration_seconds{service="order"} > 1', labels: {severity: '{{ $value }}'}}
      - {alert: ConfigStale, expr: fettle_config_ok == 0, labels: {service: fettle}}
      - {alert: ManyDown, expr: count(fettle_service_up == 0) > 3}
      - {alert: Never, expr: nothing_makes_this > 0}
      - {record: down, expr: fettle_service_up == 0, labels: {recorded: here}}
)";

std::vector<rules::CompiledGroupPtr> groups() {
  config::Errors errors;
  auto out = rules::compile(config::parse_rule_file(kRules, "rules.yml", errors), promql::Compat::v3, errors);
  REQUIRE(errors.text() == "");
  return out;
}

rules::SeriesSources sources() {
  using Source = rules::SeriesSource;
  rules::SeriesSources out;
  out.add({Source::Names::listed, {"fettle_service_up"}, {{"service", {"order"}}}});
  out.add({Source::Names::listed, {"fettle_service_up"}, {{"service", {"redis"}}}});
  out.add({Source::Names::listed, {"probe_duration_seconds"}, {{"service", {"order"}}}});
  out.add({Source::Names::listed, {"fettle_config_ok"}, {}});
  return out;
}

}  // namespace

TEST_CASE("one alert for each service that a rule can speak of, none of rules that never fire") {
  const auto all = groups();
  std::string out;
  for (const rules::PossibleAlert& each : rules::possible_alerts(all, sources(), {"order", "redis"}, {})) {
    out += each.name();
    for (const char* label : {"service", "severity", "region", "pod"})
      out += fmt::format(" {}={}", label, each.label(label).value_or("?"));
    out += "\n";
  }
  CHECK(out ==
        "ServiceDown service=order severity=critical region=eu pod=?\n"
        "ServiceDown service=redis severity=critical region=eu pod=?\n"
        "OrderSlow service=order severity=? region=eu pod=?\n"
        "ConfigStale service=fettle severity=? region=eu pod=?\n"
        "ManyDown service= severity= region=eu pod=\n");
  CHECK(rules::given_labels(all) == std::set<std::string>{"region", "service", "severity"});
  CHECK(rules::has_alert(all));
  CHECK_FALSE(rules::has_alert({}));
}
