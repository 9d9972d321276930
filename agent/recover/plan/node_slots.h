// So many plans of this node may act at the same time. More than one is the default, because a service that is stuck in
// its start would hold up every other one until the limit of its step. Known at once, answered as by any other Slots;
// never lost, and its number is no fence: nobody else acts on this node.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "loop/handle.h"
#include "recover/plan/slots.h"

namespace loop {
class Scheduler;
}  // namespace loop

namespace recover {

class NodeSlots final : public Slots {
 public:
  NodeSlots(loop::Scheduler& scheduler, int at_once) : scheduler_(scheduler), at_once_(at_once) {}

  // Who holds a slot keeps it.
  void change(int at_once);

  loop::Handle acquire(const SlotRequest& request, std::function<void(SlotAnswer)> done,
                       std::function<void(Guard)> lost) override;
  void release(const std::string& service) override;
  std::vector<Guard> seen(const std::string& service) const override { return {busy(service)}; }
  void on_free(std::function<void()> then) override { free_ = std::move(then); }

 private:
  Guard busy(const std::string& service) const;  // node_busy

  loop::Scheduler& scheduler_;
  int at_once_;
  std::map<std::string, std::string> holders_;  // by service, the id of its run
  std::function<void()> free_;
};

}  // namespace recover
