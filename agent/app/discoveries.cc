#include "app/discoveries.h"

#include <set>
#include <utility>

#include "base/log.h"

namespace app {

void Discoveries::replace(std::vector<Discovery> discoveries) {
  sources_.clear();
  for (Discovery& each : discoveries)
    sources_.push_back({std::move(each.probe), std::make_unique<discover::FileSd>(std::move(each.files), scheduler_,
                                                                                  folders_, [this] { changed_(); })});
}

std::vector<probe::Spec> Discoveries::specs(const probe::BlackboxModules& modules) {
  std::vector<probe::Spec> specs;
  std::set<std::pair<std::string, std::string>> taken;
  std::map<std::string, std::string> refused;
  for (const Source& source : sources_) {
    for (const discover::Target& target : source.files->targets()) {
      auto spec = source.probe.spec(target.address, target.labels, modules);
      std::string why = spec ? "" : spec.error().text;
      if (spec && !taken.emplace(spec->service, spec->name).second)
        why = "target " + target.address + ": there is a probe " + spec->service + "/" + spec->name +
              " already; give one a name by __probe_name";
      if (why.empty()) specs.push_back(*std::move(spec));
      else refused.emplace(target.labels.get("__meta_filepath"), std::move(why));
    }
  }
  for (const auto& [file, why] : refused) {
    const auto known = refused_.find(file);
    if (known == refused_.end() || known->second != why)
      base::log::warn("a target is not probed", {{"file", file}, {"why", why}});
  }
  refused_ = std::move(refused);
  return specs;
}

std::vector<DiscoveryStatus> Discoveries::statuses() const {
  std::vector<DiscoveryStatus> all;
  for (const Source& source : sources_) {
    for (discover::FileStatus& file : source.files->files()) {
      if (const auto found = refused_.find(file.path); file.error.empty() && found != refused_.end())
        file.error = found->second;
      all.push_back({source.probe.service(), std::move(file)});
    }
  }
  return all;
}

}  // namespace app
