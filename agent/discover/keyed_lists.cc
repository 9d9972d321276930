#include "discover/keyed_lists.h"

#include <utility>

#include "base/text.h"
#include "loop/scheduler.h"

namespace discover {

KeyedLists::KeyedLists(std::string origin, std::string meta_key, loop::Scheduler& scheduler,
                       std::function<void()> changed)
    : meta_key_(std::move(meta_key)), scheduler_(scheduler), changed_(std::move(changed)), store_{std::move(origin)} {}

void KeyedLists::take(const std::map<std::string, std::string>& texts) {
  bool others = store_.take({}, scheduler_.wall_now());
  others = std::erase_if(keys_, [&](const auto& keyed) { return !texts.contains(keyed.first); }) > 0 || others;
  for (const auto& [key, text] : texts) {
    const std::string name = store_.name + "/" + base::foreign_text(key, 200);
    const auto [at, is_new] = keys_.try_emplace(key, Keyed{"", TargetList{name}});
    others = read(key, text, at->second) || is_new || others;
  }
  if (others) changed_();
}

bool KeyedLists::read(const std::string& key, const std::string& text, Keyed& keyed) const {
  const base::WallTime now = scheduler_.wall_now();
  if (text == keyed.text && keyed.list.refreshed && keyed.list.error.empty()) {
    keyed.list.refreshed = now;
    return false;
  }
  config::Errors errors;
  std::vector<Target> targets = parse_targets(text, keyed.list.name, errors);
  for (Target& target : targets) target.labels = target.labels.without("__meta_filepath").with(meta_key_, key);
  keyed.text = text;
  return errors.empty() ? keyed.list.take(std::move(targets), now) : keyed.list.keep(errors.text(), now);
}

void KeyedLists::keep(const std::string& why) {
  if (store_.keep(store_.name + ": " + why, scheduler_.wall_now())) changed_();
}

std::vector<const TargetList*> KeyedLists::lists() const {
  std::vector<const TargetList*> all{&store_};
  for (const auto& [key, keyed] : keys_) all.push_back(&keyed.list);
  return all;
}

}  // namespace discover
