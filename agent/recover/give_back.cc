#include "recover/give_back.h"

#include <utility>

#include "base/log.h"

namespace recover {

void GiveBack::look(const std::string& service, std::shared_ptr<const Traffic> traffic) {
  if (traffic == nullptr || !traffic->left_drained(service)) return;
  base::log::warn("the service was left without its traffic; giving it back",
                  {{"service", service}, {"traffic", traffic->text()}});
  const auto done = [this, service, traffic](const ActionResult& result) {
    const auto own = turns_.extract(service);  // this lambda lives in it
    if (own.empty()) return;
    if (result.result == "ok") return base::log::info("traffic is back", {{"service", service}, {"text", result.text}});
    base::log::error("traffic could not be given back; trying again", {{"service", service}, {"text", result.text}});
    turns_[service] = context_.scheduler.after(kAgain, [this, service, traffic] {
      const auto timer = turns_.extract(service);
      look(service, traffic);
    });
  };
  turns_[service] = traffic->turn(Flow::live, context_, service, context_.scheduler.now() + kLimit, done);
}

}  // namespace recover
