// Whether the plan of a service may act by itself: the verdict, the reasons and the ledger of the plan.
#include <algorithm>
#include <optional>

#include "web/api/answer.h"
#include "web/explain.h"
#include "web/routes.h"
#include "web/trust.h"

namespace web {
namespace {

void write_count(const char* key, std::size_t count, encoding::Json& json) {
  json.key(key).integer(static_cast<std::int64_t>(count));
}

void write_seconds(const char* key, const std::optional<base::Millis>& length, encoding::Json& json) {
  json.key(key);
  if (length) json.number(base::seconds(*length));
  else json.null();
}

void write_dry_run(const model::Ledger& ledger, encoding::Json& json) {
  json.object([&] {
    write_count("itself", ledger.itself, json);
    write_count("person", ledger.person, json);
    write_count("dependency", ledger.dependency, json);
    write_count("held", ledger.held, json);
    json.key("heldBy").object([&] {
      for (const auto& [guard, faults] : ledger.held_by) write_count(guard.c_str(), faults, json);
    });
    write_count("wouldAct", ledger.would_act, json);
    write_count("wouldActTimes", ledger.would_act_times, json);
    write_count("needless", ledger.needless, json);
    write_count("wrongOne", ledger.blamed, json);
    write_seconds("laterSecondsMedian", ledger.saved_median, json);
    json.key("newest").array([&] {
      for (const std::string& line : ledger.counterfactuals) json.string(line);
    });
  });
}

void write_ledger(const model::Ledger& ledger, encoding::Json& json) {
  json.object([&] {
    json.key("since");
    optional_time(ledger.since == base::WallTime{} ? std::nullopt : std::optional(ledger.since), json);
    write_count("faults", ledger.faults, json);
    write_count("open", ledger.open, json);
    write_count("flaps", ledger.flaps, json);
    json.key("dryRun");
    write_dry_run(ledger, json);
    write_count("attempts", ledger.attempts, json);
    write_count("successes", ledger.successes, json);
    write_count("refused", ledger.refused, json);
    write_seconds("healthySecondsMedian", ledger.median, json);
    write_seconds("healthySecondsWorst", ledger.worst, json);
    write_count("relapsesWithinHour", ledger.relapses_hour, json);
    write_count("relapsesWithinDay", ledger.relapses_day, json);
    json.key("cures").array([&] {
      for (const model::CureUse& cure : ledger.cures)
        json.object([&] {
          json.key("action").string(cure.action);
          write_count("used", cure.used, json);
          write_count("worked", cure.worked, json);
          write_count("workedThisMonth", cure.this_month, json);
          json.key("last").time(cure.last);
        });
    });
  });
}

}  // namespace

Response api_trust(const Request& request, const Context& context) {
  const std::string& name = request.argument;
  const auto snapshot = context.slot.load();
  const auto service = std::find_if(snapshot->services.begin(), snapshot->services.end(),
                                    [&](const ServicePage& s) { return s.name == name; });
  if (service == snapshot->services.end()) return api_error(ErrorType::not_found, no_service_text(name, *snapshot));
  const ServiceTrust of = trust_of(*service, *snapshot);
  return api_success([&](encoding::Json& json) {
    json.object([&] {
      json.key("service").string(name);
      json.key("mode").string(service->recovery_mode ? to_string(*service->recovery_mode) : "");
      json.key("verdict").string(to_string(of.trust.verdict));
      json.key("sentence").string(of.trust.sentence);
      json.key("reasons").array([&] {
        for (const model::TrustReason& reason : of.trust.reasons)
          json.object([&] {
            json.key("topic").string(to_string(reason.topic));
            json.key("weight").string(to_string(reason.weight));
            json.key("text").string(reason.text);
          });
      });
      json.key("ledger");
      write_ledger(of.ledger, json);
    });
  });
}

}  // namespace web
