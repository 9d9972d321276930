#include "web/trust.h"

#include <fmt/format.h>

#include <algorithm>

namespace web {
namespace {

base::Millis observed(const std::string& service, const Snapshot& snapshot) {
  for (const model::ServiceAvailability& each : snapshot.availability) {
    if (each.service != service) continue;
    const auto known = [](const model::AvailabilitySpan& span) { return span.up + span.down + span.planned; };
    std::int64_t out = known(each.today);
    for (const model::AvailabilitySpan& day : *each.before) out += known(day);
    return base::Millis{out};
  }
  return {};
}

// Those that only people open, and no time.
bool is_latched(const GuardPage& guard) { return !guard.open && !guard.opens && guard.name != "ask"; }

bool was_taken(const model::IncidentMessage& message) { return message.fate == "sent"; }

model::TrustFacts facts_of(const ServicePage& service, const Snapshot& snapshot) {
  model::TrustFacts facts;
  facts.service = service.name;
  facts.mode = service.recovery_mode;
  facts.cure = service.recovery_cure;
  facts.verifies = service.recovery_verifies;
  facts.drains = service.recovery_drains;
  facts.undrains = service.recovery_undrains;
  facts.has_traffic = service.has_traffic;
  facts.probes = service.probes.size();
  facts.undecided =
      static_cast<std::size_t>(std::count_if(service.probes.begin(), service.probes.end(), [](const ProbePage& probe) {
        return probe.health == model::Health::unknown;
      }));
  facts.observed = observed(service.name, snapshot);
  for (const GuardPage& guard : service.recovery_guards)
    if (is_latched(guard)) facts.latched.push_back(fmt::format("{}: {}", guard.name, guard.text));
  for (const std::string& trouble : snapshot.traffic_troubles)
    if (trouble.starts_with(service.name + ": ")) facts.traffic_troubles.push_back(trouble);
  facts.receivers = snapshot.receivers.size();
  for (const ReceiverPage& receiver : snapshot.receivers) {
    facts.any_taken = facts.any_taken || receiver.last_sent;
    if (!receiver.last_error.empty())
      facts.failing.push_back(fmt::format("{} ({}): {}", receiver.name, receiver.type, receiver.last_error));
  }
  for (const auto& incident : snapshot.incidents)
    facts.any_taken = facts.any_taken || std::any_of(incident->messages.begin(), incident->messages.end(), was_taken);
  return facts;
}

}  // namespace

ServiceTrust trust_of(const ServicePage& service, const Snapshot& snapshot) {
  ServiceTrust out{model::ledger_of(service.name, snapshot.incidents, snapshot.recoveries, snapshot.at), {}};
  out.trust = model::judge(facts_of(service, snapshot), out.ledger);
  return out;
}

}  // namespace web
