#include "app/discoveries.h"

#include <fmt/format.h>

#include <set>
#include <utility>

#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"

namespace app {

void Discoveries::replace(std::vector<Discovery> discoveries, const std::vector<probe::Spec>& configured) {
  configured_.clear();
  for (const probe::Spec& spec : configured) configured_.emplace(spec.service, spec.name);
  sources_.clear();
  for (Discovery& each : discoveries)
    sources_.push_back({std::move(each.probe), std::make_unique<discover::FileSd>(std::move(each.files), scheduler_,
                                                                                  folders_, [this] { changed_(); })});
}

std::vector<probe::Spec> Discoveries::specs(const probe::BlackboxModules& modules, const OnRefused& refused) {
  std::vector<probe::Spec> specs;
  std::set<std::pair<std::string, std::string>> taken = configured_;
  std::map<std::string, Refused> found;
  for (const Source& source : sources_) {
    for (const discover::Target& target : source.files->targets()) {
      auto spec = source.probe.spec(target.address, target.labels, modules);
      std::string why = spec ? "" : spec.error().text;
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
      if (Refused& of = found[std::string(target.labels.get("__meta_filepath"))]; of.targets++ == 0)
        of.why = std::move(why);
    }
  }
  for (auto& [file, of] : found) {
    if (of.targets == 2) of.why += " (1 more target of this file is not probed)";
    if (of.targets > 2) of.why += fmt::format(" ({} more targets of this file are not probed)", of.targets - 1);
    const auto known = refused_.find(file);
    if (known == refused_.end() || known->second.why != of.why)
      base::log::warn("a target is not probed", {{"file", file}, {"why", of.why}});
  }
  refused_ = std::move(found);
  return specs;
}

std::vector<DiscoveryStatus> Discoveries::statuses() const {
  std::vector<DiscoveryStatus> all;
  for (const Source& source : sources_) {
    for (discover::FileStatus& file : source.files->files()) {
      const auto found = refused_.find(file.path);
      const bool of_target = file.error.empty() && found != refused_.end();
      if (of_target) file.error = found->second.why;
      all.push_back({source.probe.service(), std::move(file), of_target});
    }
  }
  return all;
}

}  // namespace app
