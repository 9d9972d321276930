#include "app/discoveries.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"

namespace app {
namespace {

// A probe that a list has made.
struct Twin {
  std::string address;
  model::Labels labels;
};

// For Prometheus the same address with other labels is another target. Its probe's name gets a number: NAME@ADDRESS#2.
// The same one once more is none.
void number_twin(probe::Spec& spec, const discover::Target& target,
                 std::map<std::pair<std::string, std::string>, std::vector<Twin>>& listed,
                 const std::set<std::pair<std::string, std::string>>& taken) {
  std::vector<Twin>& twins = listed[{spec.service, spec.name}];
  const bool same_address =
      std::all_of(twins.begin(), twins.end(), [&](const Twin& twin) { return twin.address == target.address; });
  const bool known =
      std::any_of(twins.begin(), twins.end(), [&](const Twin& twin) { return twin.labels == spec.labels; });
  const bool first = twins.empty();
  twins.push_back({target.address, spec.labels});
  if (first || known || !same_address || target.labels.has("__probe_name")) return;
  const std::string name = spec.name;
  for (std::size_t number = 2; taken.contains({spec.service, spec.name}); ++number)
    spec.name = fmt::format("{}#{}", name, number);
}

}  // namespace

void Discoveries::replace(std::vector<Discovery> discoveries, const std::vector<probe::Spec>& configured) {
  configured_.clear();
  for (const probe::Spec& spec : configured) configured_.emplace(spec.service, spec.name);
  std::vector<Running> before = std::exchange(running_, {});
  for (Discovery& each : discoveries) {
    const auto same = std::find_if(before.begin(), before.end(), [&](const Running& old) {
      return old.source != nullptr && old.identity == each.source.identity;
    });
    std::unique_ptr<discover::Source> source;
    if (same != before.end()) {
      source = std::move(same->source);
      source->refresh();
    } else {
      source = each.source.settings->make(context_, [this] { changed_(); });
    }
    running_.push_back({std::move(each.probe), std::move(each.source.identity), std::move(source)});
  }
}

std::vector<probe::Spec> Discoveries::specs(const probe::BlackboxModules& modules, const OnRefused& refused) {
  std::vector<probe::Spec> specs;
  std::set<std::pair<std::string, std::string>> taken = configured_;
  std::map<std::pair<std::string, std::string>, Refused> found;
  std::map<std::pair<std::string, std::string>, std::vector<Twin>> listed;  // by service and name
  const auto add_list = [&](const probe::ProbeTemplate& probe, const discover::TargetList& list) {
    for (const discover::Target& target : list.targets) {
      auto spec = probe.spec(list.name, target.address, target.labels, modules, target.probe);
      std::string why = spec ? "" : spec.error().text;
      if (spec) number_twin(*spec, target, listed, taken);
      if (spec && !taken.emplace(spec->service, spec->name).second)
        why = base::foreign_text("target " + target.address + ": there is a probe " + spec->service + "/" + spec->name +
                                     " already; give one a name by __probe_name",
                                 std::string::npos);
      why = base::without_secrets(why);  // which names the target
      while (why.ends_with('\n')) why.pop_back();
      if (why.empty()) {
        specs.push_back(*std::move(spec));
        continue;
      }
      if (refused) refused(why);
      if (Refused& of = found[{probe.service(), list.name}]; of.targets++ == 0) of.why = std::move(why);
    }
  };
  for (const Running& each : running_)
    for (const discover::TargetList* list : each.source->lists()) add_list(each.probe, *list);
  for (auto& [key, of] : found) {
    if (of.targets == 2) of.why += " (1 more target of this source is not probed)";
    if (of.targets > 2) of.why += fmt::format(" ({} more targets of this source are not probed)", of.targets - 1);
    const auto known = refused_.find(key);
    if (known == refused_.end() || known->second.why != of.why)
      base::log::warn("a target is not probed", {{"service", key.first}, {"source", key.second}, {"why", of.why}});
  }
  refused_ = std::move(found);
  return specs;
}

std::vector<SourceStatus> Discoveries::statuses() const {
  std::vector<SourceStatus> all;
  std::map<std::pair<std::string, std::string>, std::size_t> known;
  for (const Running& each : running_) {
    for (const discover::TargetList* list : each.source->lists()) {
      const std::pair key{each.probe.service(), list->name};
      const auto [at, is_new] = known.emplace(key, all.size());
      if (!is_new) {  // several templates for the targets of one list
        all[at->second].targets += list->targets.size();
        continue;
      }
      SourceStatus& status = all.emplace_back(SourceStatus{key.first, key.second, list->targets.size(), list->error});
      status.refreshed = list->refreshed;
      status.failing_since = list->failing_since;
      const auto found = refused_.find(key);
      status.of_target = status.error.empty() && found != refused_.end();
      if (status.of_target) status.error = found->second.why;
    }
  }
  return all;
}

}  // namespace app
