// The series of probes and services for pages of metrics: names and labels are made when a series appears and kept
// until it goes, so that a page costs its values only. Loop thread; what it gives away may be read anywhere.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "app/service_health_table.h"
#include "base/time.h"
#include "config/agent_config.h"
#include "model/metric_family.h"
#include "probe/schedule.h"

namespace app {

using Maintenance = std::map<std::string, std::string>;  // comment by service

// Families that series share, by name and type; they go with their last series.
class SharedFamilies {
 public:
  std::shared_ptr<const model::MetricFamily> get(std::string_view name, std::string_view help, model::MetricType type);
  void forget_unused();

 private:
  std::map<std::pair<std::string, model::MetricType>, std::weak_ptr<const model::MetricFamily>> families_;
};

class MetricBlocks {
 public:
  using Block = std::shared_ptr<const model::MetricBlock>;

  // After a run, when there is time: the next page finds the block of this probe as it is to be.
  void follow(const probe::Status& status);
  // Of services: health, labels, maintenance, dependencies.
  Block services(const std::vector<std::pair<std::string, config::Service>>& services,
                 const std::map<std::string, ServiceHealth>& health, const Maintenance& maintenance);
  // Of each of these probes: what the agent says of it, and what its last run found. Forgets all others.
  std::vector<Block> probes(const probe::Statuses& statuses);

 private:
  using Series = std::vector<model::MetricSeries>;
  // What a measurement was when its series was made, beside its name.
  struct Measured {
    model::Labels own;
    model::MetricType type;
  };
  struct Probe {
    model::Labels spec_labels;
    std::vector<Measured> measured;
    std::shared_ptr<const Series> series;
    Block block;
    // What the block shows.
    std::uint64_t runs = 0;
    base::WallTime started{};
    model::Health health = model::Health::unknown;
    base::Millis interval{};
  };
  using Probes = std::map<std::pair<std::string, std::string>, Probe>;  // by service and name
  struct ServiceLabels {
    std::string name;
    model::Labels labels;
    std::vector<std::string> depends_on;
  };

  bool same_series(const Probe& probe, const probe::Status& status) const;
  void make_series(Probe& probe, const probe::Status& status);
  void refresh(Probe& probe, const probe::Status& status);
  bool in_order(const probe::Statuses& statuses) const;
  void reorder(const probe::Statuses& statuses);
  bool same_services(const std::vector<std::pair<std::string, config::Service>>& services) const;
  void make_service_series(const std::vector<std::pair<std::string, config::Service>>& services);

  SharedFamilies families_;
  Probes probes_;
  std::vector<Probes::value_type*> order_;  // of the last page
  std::vector<ServiceLabels> services_;
  std::shared_ptr<const Series> service_series_ = std::make_shared<const Series>();
};

}  // namespace app
