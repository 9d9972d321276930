#include "app/counters_from_zero.h"

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "app/action_label.h"
#include "cluster/rollout.h"
#include "notify/notifier.h"
#include "notify/result.h"

namespace app {
namespace {

using notify::SendResult;

void of_receiver(self::Self& self, const notify::ReceiverSpec& receiver) {
  constexpr std::array kRequests{SendResult::sent, SendResult::retried, SendResult::refused};
  const auto show = [&](std::string_view target, SendResult result) {
    self.notifications_added(receiver.name, target, to_string(result));
  };
  for (const SendResult result : kRequests) {
    show("", result);
    for (const std::string& target : receiver.notifier->targets()) show(target, result);
  }
  show("", SendResult::silenced);
  if (!receiver.fallback.empty()) show("", SendResult::fallback);
  // What is posted again and again is not a message that could be set aside.
  if (receiver.notifier->resend().count() > 0) return;
  show("", SendResult::parked);
  for (const notify::DropReason reason : notify::kDropReasons) self.drops_added(receiver.name, to_string(reason));
}

void of_service(self::Self& self, const std::string& name, const config::Objectives& objectives) {
  self.incidents_added(name);
  for (const auto& [objective, wanted] :
       {std::pair{"detect", &objectives.detect}, std::pair{"locate", &objectives.locate},
        std::pair{"recover", &objectives.recover}})
    if (*wanted) self.objective_added(name, objective);
}

}  // namespace

void count_from_zero(self::Self& self, const LoadedConfig& loaded) {
  for (const auto& [name, service] : loaded.config.services) of_service(self, name, service.objectives);
  for (const probe::Spec& probe : loaded.probes) count_from_zero(self, probe);
  for (const auto& plan : loaded.plans)
    for (const auto* steps : {&plan->steps, &plan->finally})
      for (const recover::Step& step : *steps) self.recovery_added(plan->service, action_label(step.text), plan->mode);
  for (const notify::ReceiverSpec& receiver : loaded.notifications.receivers) of_receiver(self, receiver);
  for (const cluster::FleetService& member : loaded.fleet_services)
    for (const cluster::RolloutEvent event : cluster::kRolloutEvents)
      self.rollouts_added(member.group.group, to_string(event));
}

void count_from_zero(self::Self& self, const probe::Spec& probe) {
  self.probe_added(probe.service, probe.name);
  // ProbeCannotLook and HeartbeatMissed ask for these.
  self.failures_added(probe.service, probe.name, model::Reason::agent_overloaded);
  if (probe.type->name == "heartbeat") self.failures_added(probe.service, probe.name, model::Reason::heartbeat_missed);
}

}  // namespace app
