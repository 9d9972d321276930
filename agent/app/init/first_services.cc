#include "app/init/first_services.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace app {
namespace {

constexpr std::size_t kMostPorts = 4;  // of one service

// Who depends on whom, by connections; of a circle the last one is left out.
class Dependencies {
 public:
  std::vector<std::string> of(const std::string& name, const FoundServices& found, std::vector<std::string>& left_out) {
    std::vector<std::string> out;
    for (const FoundConnection& each : found.connections) {
      if (each.from != name || kept_[name].contains(each.to)) continue;
      if (reaches(each.to, name)) {
        left_out.push_back(fmt::format(
            "{} has connections to {} too; services must not depend on each other in a circle", name, each.to));
        continue;
      }
      kept_[name].insert(each.to);
      out.push_back(each.to);
    }
    return out;
  }

 private:
  bool reaches(const std::string& from, const std::string& to) const {
    if (from == to) return true;
    const auto found = kept_.find(from);
    return found != kept_.end() && std::any_of(found->second.begin(), found->second.end(),
                                               [&](const std::string& next) { return reaches(next, to); });
  }

  std::map<std::string, std::set<std::string>> kept_;
};

}  // namespace

FirstServices first_services(FoundServices found) {
  FirstServices out;
  if (!found.left_out.empty())
    out.left_out.push_back(fmt::format("units that run, listen on no TCP port and came with the system: {}",
                                       fmt::join(found.left_out, ", ")));
  Dependencies dependencies;
  for (FoundService& service : found.services) {
    if (service.ports.size() > kMostPorts) {
      out.left_out.push_back(fmt::format("{} listens on {} ports; the first {} are probed", service.name,
                                         service.ports.size(), kMostPorts));
      service.ports.resize(kMostPorts);
    }
    std::vector<std::string> depends_on = dependencies.of(service.name, found, out.left_out);
    out.services.push_back({std::move(service), std::move(depends_on), {}});
  }
  return out;
}

}  // namespace app
