// The slots that a recovery needs: one of the node, and for a service in a group one of the fleet. The node's slot
// comes first: a run that this node holds back takes no slot of the fleet. Loop thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cluster/fleet.h"
#include "loop/scheduler.h"
#include "recover/plan/node_slots.h"
#include "recover/plan/slots.h"

namespace app {

recover::Guard guard_of(const cluster::Judgement& judgement);

class FleetSlots final : public recover::Slots {
 public:
  explicit FleetSlots(loop::Scheduler& scheduler) : node_(scheduler, 1) {}

  void change(int plans_at_once) { node_.change(plans_at_once); }
  // Null: there is none. It lives until another one is used.
  void use(cluster::Fleet* fleet) { fleet_ = fleet; }
  // What is known of the fleet is another thing.
  void fleet_changed();

  loop::Handle acquire(const recover::SlotRequest& request, std::function<void(recover::SlotAnswer)> done,
                       std::function<void(recover::Guard)> lost) override;
  void release(const std::string& service) override;
  std::vector<recover::Guard> seen(const std::string& service) const override;
  void on_free(std::function<void()> then) override;

 private:
  bool is_in_group(const std::string& service) const { return fleet_ != nullptr && fleet_->has(service); }

  recover::NodeSlots node_;
  cluster::Fleet* fleet_ = nullptr;
  std::function<void()> free_;
};

}  // namespace app
