// Tells people: one message to every receiver that takes pages, outside any rule.
#include <fmt/format.h>

#include "config/node.h"
#include "config/scalar.h"
#include "loop/scheduler.h"
#include "recover/action.h"

namespace recover {
namespace {

class Alert final : public Action {
 public:
  loop::Handle run(const Context& context, const Trigger& trigger, base::Instant,
                   std::function<void(ActionResult)> done) const override {
    const std::string text = fmt::format("{}: recovery attempt {} needs a person (recovery {})", trigger.service,
                                         trigger.attempt, trigger.recovery_id);
    const auto& page = context.page;
    return context.scheduler.after({}, [page, service = trigger.service, text, done = std::move(done)] {
      if (page) page(service, text);
      done(page ? ActionResult{ActionStatus::ok, "paged"}
                : ActionResult{ActionStatus::failed, "there is no receiver to page"});
    });
  }
  std::string text() const override { return "alert page"; }
  bool may_heal() const override { return false; }
};

std::unique_ptr<const Action> parse(const config::Node& node, const std::string& path, const ActionOwner&,
                                    config::Errors& errors) {
  std::size_t index = 0;
  std::string why;
  if (config::read_one_of(node, {"page"}, index, why)) return std::make_unique<Alert>();
  errors.add(node.mark(), path, why);
  return nullptr;
}

}  // namespace

extern const ActionType alert_type;
const ActionType alert_type{"alert", "Pages people through the receivers.", "{alert: page}", parse};

}  // namespace recover
