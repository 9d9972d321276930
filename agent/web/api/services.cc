#include <fmt/format.h>

#include <algorithm>

#include "web/api/answer.h"
#include "web/explain.h"
#include "web/pages/service_page.h"
#include "web/routes.h"

namespace web {
namespace {

void write_probe(const ProbePage& probe, encoding::Json& json) {
  json.object([&] {
    json.key("name").string(probe.name);
    json.key("type").string(probe.type);
    json.key("target").string(probe.target);
    json.key("health").string(model::to_string(probe.health));
    json.key("since").time(probe.since);
    json.key("reason").string(model::to_string(probe.reason));
    json.key("text").string(probe.text);
    json.key("lastRun");
    optional_time(probe.last_run, json);
    json.key("interval").number(std::chrono::duration<double>(probe.interval).count());
    json.key("took").number(probe.took_seconds);
    json.key("consecutiveFailures").integer(probe.consecutive_failures);
    json.key("failureThreshold").integer(probe.failure_threshold);
    json.key("phases").object([&] {
      for (const auto& [name, took] : probe.phases) json.key(name).number(took);
    });
    json.key("history").array([&] {
      for (const bool ok : probe.history) json.integer(ok ? 1 : 0);
    });
  });
}

void write_service_fields(const ServicePage& service, encoding::Json& json) {
  json.key("name").string(service.name);
  json.key("labels").labels(service.labels);
  json.key("unit").string(service.unit);
  json.key("dependsOn").array([&] {
    for (const std::string& name : service.depends_on) json.string(name);
  });
  json.key("health").string(model::to_string(service.health));
  json.key("since").time(service.since);
  json.key("reason").string(model::to_string(service.reason));
  json.key("text").string(service.text);
  json.key("maintenance");
  if (service.maintenance) json.string(*service.maintenance);
  else json.null();
  json.key("paused").string(service.paused);
  json.key("recovery").object([&] {
    json.key("mode").string(service.recovery_mode ? to_string(*service.recovery_mode) : "");
    json.key("state").string(service.recovery_state ? to_string(*service.recovery_state) : "");
    json.key("reason").string(service.recovery_reason);
    json.key("attemptsLeft").integer(service.attempts_left);
  });
  json.key("probes").array([&] {
    for (const ProbePage& probe : service.probes) write_probe(probe, json);
  });
}

void write_plan(const ServicePage& service, encoding::Json& json) {
  json.object([&] {
    json.key("next").string(service.recovery_next);
    json.key("guards").array([&] {
      for (const GuardPage& guard : service.recovery_guards)
        json.object([&] {
          json.key("name").string(guard.name);
          json.key("open").boolean(guard.open);
          json.key("text").string(guard.text);
          json.key("opens");
          optional_time(guard.opens, json);
        });
    });
    json.key("steps").array([&] {
      for (const std::string& step : service.recovery_steps) json.string(step);
    });
  });
}

}  // namespace

void optional_time(const std::optional<base::WallTime>& t, encoding::Json& json) {
  if (t) json.time(*t);
  else json.null();
}

void write_recovery(const model::RecoveryReport& report, encoding::Json& json) {
  json.object([&] {
    json.key("id").string(report.id);
    json.key("service").string(report.service);
    json.key("trigger").string(report.trigger);
    json.key("mode").string(to_string(report.mode));
    json.key("state").string(to_string(report.state));
    json.key("reason").string(report.reason);
    json.key("attempt").integer(report.attempt);
    json.key("started").time(report.started);
    json.key("ended");
    optional_time(report.ended, json);
    json.key("actions").array([&] {
      for (const model::ActionReport& action : report.actions)
        json.object([&] {
          json.key("action").string(action.action);
          json.key("result").string(to_string(action.result));
          json.key("text").string(action.text);
          json.key("started").time(action.started);
          json.key("took").number(base::seconds(action.took));
        });
    });
  });
}

Response api_services(const Request&, const Context& context) {
  const auto snapshot = context.slot.load();
  return api_success([&](encoding::Json& json) {
    json.object([&] {
      json.key("node").string(snapshot->node);
      json.key("at").time(snapshot->at);
      json.key("paused").string(snapshot->paused);
      json.key("services").array([&] {
        for (const ServicePage& service : snapshot->services) json.object([&] { write_service_fields(service, json); });
      });
    });
  });
}

std::optional<Response> no_service(const std::string& name, const Snapshot& snapshot) {
  std::string known;
  for (const ServicePage& service : snapshot.services) {
    if (service.name == name) return {};
    known += (known.empty() ? "" : ", ") + service.name;
  }
  return api_error(ErrorType::not_found, fmt::format("no service \"{}\" here; there are: {}", name, known));
}

Response api_recoveries(const Request& request, const Context& context) {
  const auto snapshot = context.slot.load();
  const std::string only = request.param("service");
  const auto& runs = snapshot->recoveries;
  if (!only.empty() && std::none_of(runs.begin(), runs.end(), [&](const auto& run) { return run.service == only; }))
    if (auto slip = no_service(only, *snapshot)) return *std::move(slip);
  return api_success([&](encoding::Json& json) {
    json.object([&] {
      json.key("recoveries").array([&] {
        for (const model::RecoveryReport& report : snapshot->recoveries)
          if (only.empty() || report.service == only) write_recovery(report, json);
      });
    });
  });
}

Response api_service(const Request& request, const Context& context) {
  const std::string& name = request.argument;
  const auto snapshot = context.slot.load();
  const auto service = std::find_if(snapshot->services.begin(), snapshot->services.end(),
                                    [&](const ServicePage& s) { return s.name == name; });
  if (service == snapshot->services.end()) return api_error(ErrorType::not_found, no_service_text(name, *snapshot));
  return api_success([&](encoding::Json& json) {
    json.object([&] {
      json.key("service").object([&] { write_service_fields(*service, json); });
      json.key("explanation").array([&] {
        for (const std::string& sentence : explain(*service, *snapshot)) json.string(sentence);
      });
      json.key("plan");
      if (!service->recovery_mode) json.null();
      else write_plan(*service, json);
      json.key("availability");
      const auto found = std::find_if(snapshot->availability.begin(), snapshot->availability.end(),
                                      [&](const auto& each) { return each.service == name; });
      if (found == snapshot->availability.end()) json.null();
      else write_availability(*found, json);
      json.key("incidents").array([&] {
        for (const auto& incident : snapshot->incidents)
          if (concerns(*incident, name)) json.object([&] { write_incident_summary(*incident, json); });
      });
      json.key("yaml").string(config_of(name, snapshot->config.redacted_text));
    });
  });
}

Response api_explain(const Request& request, const Context& context) {
  const std::string& name = request.argument;
  const auto snapshot = context.slot.load();
  const auto service = std::find_if(snapshot->services.begin(), snapshot->services.end(),
                                    [&](const ServicePage& s) { return s.name == name; });
  if (service == snapshot->services.end()) return *no_service(name, *snapshot);
  return api_success([&](encoding::Json& json) {
    json.object([&] {
      json.key("service").object([&] { write_service_fields(*service, json); });
      json.key("explanation").array([&] {
        for (const std::string& sentence : explain(*service, *snapshot)) json.string(sentence);
      });
      json.key("plan");
      if (!service->recovery_mode) json.null();
      else write_plan(*service, json);
      json.key("alerts").array([&] {
        for (const model::Alert& alert : snapshot->alerts)
          if (alert.service() == name) write_alert(alert, *snapshot, json);
      });
      json.key("recoveries").array([&] {
        for (const model::RecoveryReport& report : snapshot->recoveries)
          if (report.service == name) write_recovery(report, json);
      });
    });
  });
}

}  // namespace web
