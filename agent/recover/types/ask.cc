// Waits in the middle of a plan until a person approves what comes after it, such as a reboot. The plan does the
// waiting; a dry run goes on as if somebody had said yes.
#include "config/node.h"
#include "loop/scheduler.h"
#include "recover/action.h"

namespace recover {
namespace {

class Ask final : public Action {
 public:
  loop::Handle run(const Context& context, const Trigger&, base::Instant,
                   std::function<void(ActionResult)> done) const override {
    return context.scheduler.after({}, [done = std::move(done)] {
      done({ActionStatus::failed, "the question was not sent"});
    });
  }
  std::string text() const override { return "ask"; }
  bool may_heal() const override { return false; }
  bool waits_for_person() const override { return true; }
};

std::unique_ptr<const Action> parse(const config::Node& node, const std::string& path, const ActionOwner&,
                                    config::Errors& errors) {
  if (node.is_scalar()) return std::make_unique<Ask>();
  errors.add(node.mark(), path, "ask has no settings; how long it waits is the step's timeout: {do: ask, timeout: 1h}");
  return nullptr;
}

}  // namespace

extern const ActionType ask_type;
const ActionType ask_type{"ask", "Waits until a person approves with fettle recover SERVICE; else the run ends.", "ask",
                          parse};

}  // namespace recover
