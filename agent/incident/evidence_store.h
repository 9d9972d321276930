// The evidence of incidents, durable in state::Table::evidence: of each incident and service the first and the newest,
// so that a service that fails again and again fills no disk. Beyond kBytes the oldest goes. Loop thread.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/evidence.h"

namespace state {
class State;
}  // namespace state

namespace incident {

class EvidenceStore {
 public:
  static constexpr std::size_t kBytes = 16 * 1024 * 1024;
  using Kept = std::shared_ptr<const model::Evidence>;

  // Reads what was left.
  explicit EvidenceStore(state::State& state);

  void add(model::Evidence evidence);
  // Evidence of incidents that are not kept any more goes, unless the service's fault stands in another one now:
  // `incident_of` names that, or is "".
  void follow(const std::function<bool(const std::string& incident)>& is_kept,
              const std::function<std::string(const std::string& service)>& incident_of);
  // Oldest first; shared with who holds them.
  std::vector<Kept> all() const;

 private:
  using Map = std::map<std::string, Kept>;  // by key: time and service
  Map::iterator remove(Map::iterator at);
  void write(const std::string& key, const model::Evidence& evidence);

  state::State& state_;
  Map kept_;
};

std::string to_json(const model::Evidence& evidence);
base::Result<model::Evidence> parse_evidence(const std::string& json);

}  // namespace incident
