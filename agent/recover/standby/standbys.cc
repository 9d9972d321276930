#include "recover/standby/standbys.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "recover/standby/member_run.h"

namespace recover {

Standbys::Standbys(StandbyContext context, std::string node, StandbyCallbacks callbacks)
    : context_(context), node_(std::move(node)), callbacks_(std::move(callbacks)) {}

Standbys::~Standbys() = default;

void Standbys::pause() {
  leaving_.clear();
  for (auto& [service, run] : runs_) run->pause();
}

void Standbys::replace(std::vector<Standby> standbys) {
  std::erase_if(standbys, [&](const Standby& each) {
    if (each->members.contains(node_)) return false;
    base::log::warn(
        "a standby is left out: its members do not name this node; restart the agent if the node has another "
        "name now",
        {{"service", each->service}, {"node", node_}});
    return true;
  });
  leaving_.clear();
  std::erase_if(runs_, [&](const auto& entry) {
    const std::string& service = entry.first;
    if (std::any_of(standbys.begin(), standbys.end(), [&](const Standby& each) { return each->service == service; }))
      return false;
    if (entry.second->has_right()) leaving_[service] = context_.election.drop(service, [](const ElectionAnswer&) {});
    return true;
  });
  for (Standby& spec : standbys) {
    std::unique_ptr<StandbyMemberRun>& run = runs_[spec->service];
    if (run) run->use(std::move(spec));
    else run = std::make_unique<StandbyMemberRun>(context_, node_, callbacks_, std::move(spec));
  }
}

void Standbys::on_lease() {
  for (auto& [service, run] : runs_) run->on_lease();
}

base::Result<std::string> Standbys::approve(const std::string& service) {
  const auto found = runs_.find(service);
  if (found == runs_.end())
    return base::fail(base::Kind::not_found, fmt::format("the service '{}' has no standby on this node", service));
  return found->second->approve();
}

std::vector<StandbyStatus> Standbys::statuses() const {
  std::vector<StandbyStatus> out;
  for (const auto& [service, run] : runs_) out.push_back(run->status());
  return out;
}

}  // namespace recover
