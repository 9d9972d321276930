#include "discover/polled_list.h"

#include <fmt/format.h>

#include <utility>

#include "http/json_api.h"
#include "loop/scheduler.h"

namespace discover {

std::string too_many(const std::vector<Target>& targets) {
  std::size_t bytes = 0;
  for (const Target& target : targets) {
    bytes += target.address.size();
    for (const model::Label label : target.labels) bytes += label.name.size() + label.value.size();
  }
  if (targets.size() <= kMostTargets && bytes <= kMostBytes) return "";
  return fmt::format(
      "it names more than {} targets, or more than {} MiB of targets with their labels; ask for fewer by filters",
      kMostTargets, kMostBytes / (1024 * 1024));
}

PolledList::PolledList(std::string name, base::Millis interval, loop::Scheduler& scheduler,
                       std::function<void()> changed, std::function<void()> ask)
    : list_{std::move(name)},
      interval_(interval),
      scheduler_(scheduler),
      changed_(std::move(changed)),
      ask_(std::move(ask)) {
  ask_now();
}

void PolledList::ask_now() { arm({}); }

void PolledList::arm(base::Duration wait) {
  timer_ = scheduler_.after(wait, [this] { ask_(); });
}

void PolledList::take(std::vector<Target> found) {
  arm(interval_);
  if (const std::string why = too_many(found); !why.empty()) return keep(why);
  if (list_.take(std::move(found), scheduler_.wall_now())) changed_();
}

void PolledList::keep(const std::string& path, const std::string& why, const http::HttpResponse& response) {
  const bool refused = http::has_status(response, 401) || http::has_status(response, 403);
  keep(fmt::format("GET {}: {}{}", path, why, refused ? "; it must allow this path to the agent" : ""));
}

void PolledList::keep(const std::string& why) {
  arm(interval_);
  if (list_.keep(list_.name + ": " + why, scheduler_.wall_now())) changed_();
}

}  // namespace discover
