#include "recover/give_back.h"

#include <utility>

#include "base/log.h"

namespace recover {

void GiveBack::look(const std::string& service) {
  if (context_.switchboard == nullptr || !context_.switchboard->left_drained(service)) return;
  base::log::warn("the service was left without its traffic; giving it back", {{"service", service}});
  const auto done = [this, service](const ActionResult& result) {
    const auto own = turns_.extract(service);  // this lambda lives in it
    if (own.empty()) return;
    if (result.result == "ok") return base::log::info("traffic is back", {{"service", service}, {"text", result.text}});
    base::log::error("traffic could not be given back; trying again", {{"service", service}, {"text", result.text}});
    turns_[service] = context_.scheduler.after(kAgain, [this, service] {
      const auto timer = turns_.extract(service);
      look(service);
    });
  };
  turns_[service] =
      context_.switchboard->turn(service, {Flow::live, base::Millis{0}, context_.scheduler.now() + kLimit}, done);
}

}  // namespace recover
