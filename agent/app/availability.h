// The availability of each service by days and hours: how long it was up, down, and down in maintenance, in
// state::Table::availability. The figures of today and of this hour are written once a minute, so that a crash of the
// agent loses a minute, which then counts as not known. Days are of UTC. Time runs on the monotonic clock; only the day
// and the hour are of the wall clock. Loop thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "loop/handle.h"
#include "model/availability.h"
#include "model/health.h"
#include "state/state.h"

namespace loop {
class Scheduler;
}  // namespace loop

namespace app {

class Availability {
 public:
  static constexpr base::Millis kWriteEvery{60'000};

  // `in_maintenance` is asked of services that are down. All outlive it.
  using InMaintenance = std::function<bool(const std::string& service)>;
  Availability(state::State& state, loop::Scheduler& scheduler, InMaintenance in_maintenance);

  // The service's health is this one from now on. unknown: its time does not count.
  void on_health(const std::string& service, model::Health health);

  std::vector<model::ServiceAvailability> services();  // by name, as of now

 private:
  using Spans = std::vector<model::AvailabilitySpan>;
  // Days or hours: those before, and the one that goes on.
  struct Ledger {
    std::shared_ptr<const Spans> before = std::make_shared<const Spans>();
    model::AvailabilitySpan now;
    bool changed = false, before_changed = false;  // since it was written
  };
  struct Service {
    model::Health health = model::Health::unknown;
    base::Instant since{};  // counted up to here
    Ledger days, hours;
  };

  void load();
  void count(const std::string& name, Service& service);
  void write();

  state::State& state_;
  loop::Scheduler& scheduler_;
  const InMaintenance in_maintenance_;
  std::map<std::string, Service> services_;
  loop::Handle timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace app
