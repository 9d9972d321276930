#include "app/fleet_slots.h"

#include <memory>
#include <utility>

namespace app {
namespace {

using namespace std::chrono_literals;
using recover::GuardName;
using recover::SlotAnswer;

// The fleet answers a little before the plan stops waiting, so that its reason is told.
constexpr base::Duration kHeadStart = 500ms;

SlotAnswer::Kind kind_of(cluster::Answered answered) {
  switch (answered) {
    case cluster::Answered::yes: return SlotAnswer::Kind::yes;
    case cluster::Answered::no: return SlotAnswer::Kind::no;
    case cluster::Answered::unknown: break;
  }
  return SlotAnswer::Kind::unknown;
}

}  // namespace

recover::Guard guard_of(const cluster::Judgement& judgement) {
  recover::Guard guard{GuardName::fleet_unknown, judgement.open, judgement.text};
  switch (judgement.brake) {
    case cluster::Brake::unknown: break;
    case cluster::Brake::panic: guard.name = GuardName::fleet_panic; break;
    case cluster::Brake::busy: guard.name = GuardName::fleet_busy; break;
    case cluster::Brake::min_healthy: guard.name = GuardName::fleet_min_healthy; break;
  }
  return guard;
}

loop::Handle FleetSlots::acquire(const recover::SlotRequest& request, std::function<void(SlotAnswer)> done,
                                 std::function<void(recover::Guard)> lost) {
  struct Asked final : loop::Registration {
    loop::Handle node, fleet;
  };
  auto asked = std::make_unique<Asked>();
  const auto ask_fleet = [this, at = asked.get(), request, done, lost](const SlotAnswer& answer) {
    if (answer.kind != SlotAnswer::Kind::yes || !is_in_group(request.service)) return done(answer);
    at->fleet = fleet_->acquire(
        {request.service, request.recovery, request.reboots, request.by_person, request.deadline - kHeadStart,
         request.of_rollout},
        [done](const cluster::SlotReply& reply) {
          done({kind_of(reply.kind), guard_of(reply.why), reply.fence});
        },
        [lost](const cluster::Judgement& why) { lost(guard_of(why)); });
  };
  asked->node = node_.acquire(request, ask_fleet, lost);
  return loop::Handle(std::move(asked));
}

void FleetSlots::release(const std::string& service) {
  if (fleet_ != nullptr) fleet_->release(service);
  node_.release(service);
}

std::vector<recover::Guard> FleetSlots::seen(const std::string& service) const {
  std::vector<recover::Guard> guards = node_.seen(service);
  if (!is_in_group(service)) return guards;
  for (const cluster::Judgement& each : fleet_->seen(service)) guards.push_back(guard_of(each));
  return guards;
}

void FleetSlots::on_free(std::function<void()> then) {
  free_ = then;
  node_.on_free(std::move(then));
}

void FleetSlots::fleet_changed() {
  if (free_) free_();
}

}  // namespace app
