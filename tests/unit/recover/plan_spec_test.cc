#include "recover/plan/plan_spec.h"

#include <doctest/doctest.h>

#include "config/agent_config.h"
#include "recover/registry.h"

namespace {

// A service with the recovery that `yaml` says, indented by nothing.
std::unique_ptr<recover::PlanSpec> parse(const std::string& yaml, config::Errors& errors,
                                         const std::string& unit = "order.service") {
  config::Service service;
  service.unit = unit;
  service.depends_on = {"redis"};
  service.probes = {config::Node::parse("{name: http, type: http}", "probe.yml", errors),
                    config::Node::parse("{type: tcp}", "probe.yml", errors)};
  service.allow_reboot = true;
  service.recovery = config::Node::parse(yaml, "fettle.yml", errors);
  return recover::parse_plan("order", service, errors);
}

}  // namespace

TEST_CASE("the configuration of the product description is a plan") {
  config::Errors errors;
  const auto plan = parse(R"(when: {alert: ServiceDown}
mode: enforce
guards: {dependencies: healthy, min_uptime: 30s}
budget: {attempts: 3, within: 15m, backoff: {initial: 5s, factor: 2, max: 5m, jitter: 0.2, reset_after: 10m}}
steps:
  - {do: drain, timeout: 10s, on_failure: continue}
  - {do: {systemd: restart}, timeout: 60s, verify: {success_threshold: 3, within: 30s}}
  - {do: {alert: page}}
finally: [{do: undrain, slow_start: 30s}]
)",
                          errors);
  CHECK(errors.text() == "");
  REQUIRE(plan != nullptr);
  CHECK(plan->mode == model::RecoveryMode::enforce);
  CHECK(plan->when == std::vector<std::pair<std::string, std::string>>{{"alert", "ServiceDown"}});
  CHECK(plan->probes == std::vector<std::string>{"http", "tcp"});
  CHECK(plan->depends_on == std::vector<std::string>{"redis"});
  REQUIRE(plan->steps.size() == 3);
  CHECK(plan->steps[0].text == "drain");
  CHECK(plan->steps[0].on_failure == recover::OnFailure::proceed);
  CHECK(plan->steps[1].text == "systemd restart order.service");
  CHECK(plan->steps[1].verify->success_threshold == 3);
  CHECK(plan->steps[2].text == "alert page");
  REQUIRE(plan->finally.size() == 1);
  CHECK(plan->finally[0].text == "undrain");
}

TEST_CASE("the least that a plan needs is an alert and a step; it is then a dry run") {
  config::Errors errors;
  const auto plan =
      parse("{when: {alert: Down}, steps: [{do: {systemd: {verb: reload, unit: nginx.service}}}]}", errors);
  CHECK(errors.text() == "");
  CHECK(plan->mode == model::RecoveryMode::dry_run);
  CHECK(plan->budget.attempts == 3);
  CHECK(plan->steps.at(0).text == "systemd reload nginx.service");
}

TEST_CASE("a plan may go by its service's health, without an alert") {
  config::Errors errors;
  const auto plan = parse(
      "{when: {state: down, for: 3s, flapping: {transitions: 6, within: 10m}}, mode: ask, steps: [{do: ask}]}", errors);
  CHECK(errors.text() == "");
  CHECK(plan->when.empty());
  CHECK(plan->when_down == base::Millis{3000});
  CHECK(plan->flapping->transitions == 6);
  CHECK(plan->ask_timeout == base::Millis{1'800'000});
  CHECK(plan->maintenance.pause_file == "/run/fettle/pause.d/order");
  CHECK(plan->steps.at(0).action->waits_for_person());
}

TEST_CASE("a service without recovery has no plan") {
  config::Errors errors;
  CHECK(recover::parse_plan("order", config::Service{}, errors) == nullptr);
  CHECK(errors.empty());
}

TEST_CASE("each mistake is named with its place and what to write") {
  struct Row {
    const char* yaml;
    const char* unit;
    const char* want;
  };
  const Row rows[] = {
      {"{when: {alert: Down}}", "o.service",
       "fettle.yml:1:1: services.order.recovery.steps: must have at least one step, such as {do: {systemd: restart}}"},
      {"{when: {}, steps: [{do: {alert: page}}]}", "o.service",
       "fettle.yml:1:8: services.order.recovery.when: must name an alert, such as {alert: ServiceDown}"},
      {"{when: {alert: D}, steps: [{do: {sytemd: restart}}]}", "o.service",
       "fettle.yml:1:34: services.order.recovery.steps[0].do: unknown action 'sytemd'; did you mean systemd?"},
      {"{when: {alert: D}, steps: [{do: mend}]}", "o.service",
       "fettle.yml:1:33: services.order.recovery.steps[0].do: unknown action 'mend'; there are: alert, ask, command, "
       "docker, "
       "drain, kubernetes, marathon, patroni, reboot, signal, swarm, systemd, undrain, unit_hook"},
      {"{when: {alert: D}, steps: [{do: [drain]}]}", "o.service",
       "fettle.yml:1:33: services.order.recovery.steps[0].do: expected one action, such as {systemd: restart}; more "
       "actions are more steps"},
      {"{when: {alert: D}, steps: [{do: {systemd: restart}}]}", "",
       "fettle.yml:1:43: services.order.recovery.steps[0].do.systemd: service order has no unit; set its unit, or "
       "write "
       "{systemd: {verb: restart, unit: NAME.service}}"},
      {"{when: {alert: D}, steps: [{do: {systemd: restart}}]}", "order",
       "fettle.yml:1:43: services.order.recovery.steps[0].do.systemd: 'order' is no unit name; write its type too, "
       "such "
       "as order.service"},
      {"{when: {alert: D}, steps: [{do: {systemd: restart}}]}", "../x.service",
       "fettle.yml:1:43: services.order.recovery.steps[0].do.systemd: '../x.service' is no unit name: a unit is named "
       "without folders, such as x.service"},
      {"{when: {alert: D}, steps: [{do: drain}]}", "o.service",
       "fettle.yml:1:33: services.order.recovery.steps[0].do: drain: service order has no traffic that could be "
       "moved; add traffic to it, such as {nginx: {upstream: order, file: …, self: …}}, or on_failure: continue to go "
       "on without it"},
      {"{when: {alert: D}, steps: [{do: {command: /usr/bin/true --now}}]}", "o.service",
       "fettle.yml:1:43: services.order.recovery.steps[0].do.command: there is no shell: write the program and its "
       "arguments as a list, {command: {argv: [/usr/bin/true, …]}}"},
      {"{when: {alert: D}, steps: [{do: {command: {argv: /usr/bin/true}}}]}", "o.service",
       "fettle.yml:1:50: services.order.recovery.steps[0].do.command.argv: there is no shell: write a list, "
       "[/path/of/program, argument, …]"},
      {"{when: {alert: D}, steps: [{do: {command: {argv: [true]}}}]}", "o.service",
       "fettle.yml:1:50: services.order.recovery.steps[0].do.command.argv[0]: 'true' is no absolute path; write where "
       "the program lies, such as /usr/bin/systemctl"},
      {"{when: {alert: D}, steps: [{do: {command: {argv: [/usr/bin]}}}]}", "o.service",
       "fettle.yml:1:50: services.order.recovery.steps[0].do.command.argv[0]: /usr/bin is no regular file"},
      {"{when: {alert: D}, steps: [{do: {command: {argv: [/usr/bin/env, '{host}']}}}]}", "o.service",
       "fettle.yml:1:50: services.order.recovery.steps[0].do.command.argv[1]: unknown placeholder {host}; there are "
       "{service}, {node}, {action_id} and {label.NAME}"},
      {"{when: {alert: D}, steps: [{do: {command: {argv: [/usr/bin/env, '{label.severity}']}}}]}", "o.service",
       "fettle.yml:1:50: services.order.recovery.steps[0].do.command.argv[1]: {label.severity} needs the label to be "
       "allowed: add pass_labels: [severity]"},
      {"{when: {alert: D}, steps: [{do: {command: {argv: [/usr/bin/env], limits: {cpu: 500ms}}}}]}", "o.service",
       "fettle.yml:1:80: services.order.recovery.steps[0].do.command.limits.cpu: must be whole seconds"},
      {"{when: {alert: D}, steps: [{do: {alert: page}, slow_start: 3s}]}", "o.service",
       "fettle.yml:1:60: services.order.recovery.steps[0].slow_start: only undrain has a slow_start"},
      {"{when: {state: up, for: 3}, steps: [{do: {alert: page}}]}", "o.service",
       "fettle.yml:1:16: services.order.recovery.when.state: 'up' is no reason to recover; write state: down\n"
       "fettle.yml:1:25: services.order.recovery.when.for: expected a duration such as 500ms or 2s, got '3': a number "
       "needs a unit"},
      {"{when: {state: down, severity: page}, steps: [{do: {alert: page}}]}", "o.service",
       "fettle.yml:1:22: services.order.recovery.when.severity: does not go with state; there are: state, for, "
       "flapping"},
      {"{when: {alert: D, flapping: {transitions: 1}}, steps: [{do: {alert: page}}]}", "o.service",
       "fettle.yml:1:43: services.order.recovery.when.flapping.transitions: must be at least 2: down and up again"},
      {"{when: {alert: D}, maintenance: {windows: [Sunday]}, steps: [{do: {alert: page}}]}", "o.service",
       "fettle.yml:1:44: services.order.recovery.maintenance.windows[0]: 'Sunday' is no window; write days and times "
       "as "
       "in \"Sun 02:00-04:00\", \"Mon-Fri 22:00-06:00\" or \"02:00-04:00\""},
      {"{when: {alert: D}, maintenance: {windows: [Sun, \"Sun 02:00-04:00\", Mon]}, steps: [{do: {alert: page}}]}",
       "o.service",
       "fettle.yml:1:44: services.order.recovery.maintenance.windows[0]: 'Sun' is no window; write days and times as "
       "in \"Sun 02:00-04:00\", \"Mon-Fri 22:00-06:00\" or \"02:00-04:00\"\n"
       "fettle.yml:1:68: services.order.recovery.maintenance.windows[2]: 'Mon' is no window; write days and times as "
       "in \"Sun 02:00-04:00\", \"Mon-Fri 22:00-06:00\" or \"02:00-04:00\""},
      {"{when: {alert: D}, maintenance: {time_zone: Mars/Utopia}, steps: [{do: {alert: page}}]}", "o.service",
       "fettle.yml:1:45: services.order.recovery.maintenance.time_zone: there is no time zone 'Mars/Utopia' in "
       "/usr/share/zoneinfo"},
      {"{when: {alert: D}, steps: [{do: {alert: page}}], budget: {attempts: 0}}", "o.service",
       "fettle.yml:1:69: services.order.recovery.budget.attempts: must be at least 1; leave recovery out to never act"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.yaml);
    config::Errors errors;
    parse(row.yaml, errors, row.unit);
    CHECK(errors.text() == std::string(row.want) + "\n");
  }
}

TEST_CASE("every action type has an example that parses where it is allowed") {
  for (const recover::ActionType* type : recover::action_types()) {
    CAPTURE(std::string(type->name));
    CHECK_FALSE(type->summary.empty());
    config::Errors errors;
    const auto plan =
        parse("{when: {alert: D}, steps: [{on_failure: continue, do: " + std::string(type->example) + "}]}", errors);
    CHECK(errors.text() == "");
    CHECK(plan->steps.size() == 1);
  }
}
