// What drain and undrain are until there are traffic adapters: words that configurations may use already, where the
// plan goes on without them (on_failure: continue, or a finally step). Each run says that nothing was moved.
#pragma once

#include <memory>
#include <string>

#include "recover/action.h"

namespace recover {

class NoTraffic final : public Action {
 public:
  explicit NoTraffic(std::string word) : word_(std::move(word)) {}
  loop::Handle run(const Context& context, const Trigger&, base::Instant,
                   std::function<void(ActionResult)> done) const override {
    return context.scheduler.after({}, [done = std::move(done), word = word_] {
      done({"refused", "no traffic was moved: this version has no traffic adapters yet, so " + word + " does nothing"});
    });
  }
  std::string text() const override { return word_; }
  bool may_heal() const override { return false; }

 private:
  std::string word_;
};

inline std::unique_ptr<const Action> parse_traffic(const std::string& word, const config::Node& node,
                                                   const std::string& path, const ActionOwner& owner,
                                                   config::Errors& errors) {
  if (owner.may_fail) return std::make_unique<NoTraffic>(word);
  errors.add(node.mark(), path,
             word +
                 ": traffic adapters are not available yet, so this step could not work; leave it out, or add "
                 "on_failure: continue to go on without it");
  return nullptr;
}

}  // namespace recover
