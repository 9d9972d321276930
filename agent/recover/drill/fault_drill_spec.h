// A fault drill as it is configured: which service gets which fault, and when.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "config/schema.h"
#include "recover/drill/fault_report.h"
#include "recover/plan/maintenance_window.h"

namespace recover {

struct FaultDrillSpec {
  std::string name;
  std::string service;
  Fault fault = Fault::hang;
  base::Millis every{7LL * 86'400'000};
  std::vector<MaintenanceWindow> windows;
  base::Millis max_age{0};  // of the last that passed; 0: a day more than `every`

  base::Millis longest_without() const { return max_age.count() > 0 ? max_age : every + base::Millis{86'400'000}; }
  bool open(base::WallTime now) const;  // a window is
};
using ConfiguredFault = std::shared_ptr<const FaultDrillSpec>;

const std::vector<config::KeyReference>& fault_drill_reference();

// Why this unit of the service may get no fault; "" if it may.
std::string unit_complaint(const std::string& service, const std::string& unit);

// Whether this one of `drills` is a fault, and not a restore.
bool is_fault_drill(const config::Node& drill);

// The faults among `drills` of the configuration; those with a mistake are left out. `unit_of`: the unit of a service,
// "" for none, nullopt for a service that there is not.
std::vector<ConfiguredFault> parse_fault_drills(
    const config::Node& drills, const std::function<std::optional<std::string>(const std::string&)>& unit_of,
    config::Errors& errors);

}  // namespace recover
