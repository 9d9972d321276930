// The agent's place in its fleet: the store of the configuration, the lease that the agent before this one left in the
// state, and the slots that recoveries ask for. Loop thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "app/fleet_slots.h"
#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "cluster/fleet.h"
#include "cluster/fleet_settings.h"
#include "http/http_client.h"
#include "loop/scheduler.h"
#include "model/health.h"
#include "state/state.h"

namespace app {

class FleetLink {
 public:
  // `changed`: view() is another one.
  FleetLink(loop::Scheduler& scheduler, http::HttpClient& http, std::function<void()> changed,
            base::Random random = base::Random::from_entropy(), cluster::BootClock clock = cluster::SinceBoot::now)
      : scheduler_(scheduler),
        http_(http),
        changed_(std::move(changed)),
        random_(random),
        clock_(std::move(clock)),
        slots_(scheduler) {}

  // Another store, ttl or node ends the fleet that was; all else is only taken over.
  void replace(const cluster::FleetSettings& settings, const std::vector<cluster::FleetService>& services,
               const std::string& node, state::State& state);
  void on_health(const std::string& service, model::Health health, base::WallTime since);

  // People have heard of the fault of a service, or have not.
  void told(const std::string& service, bool told);

  FleetSlots& slots() { return slots_; }
  const cluster::Fleet* fleet() const { return fleet_.get(); }  // null: none is configured
  // Which one it is: another number when another fleet, or none, took its place. Its address may be that of the last.
  std::uint64_t generation() const { return generation_; }
  // As Fleet has them; there is a fleet.
  void refresh(const std::string& group) const { fleet_->refresh(group); }
  void write(const std::string& group, const cluster::Rollout& rollout,
             std::function<void(cluster::Answer<cluster::Nothing>)> done) const {
    fleet_->write(group, rollout, std::move(done));
  }
  cluster::Store* store() const { return fleet_ == nullptr ? nullptr : &fleet_->store(); }  // null: none is configured
  // What other agents ask this one for. Kind::not_found: they have a store to ask, or there is no fleet.
  base::Result<std::string> shared() const;

 private:
  loop::Scheduler& scheduler_;
  http::HttpClient& http_;
  std::function<void()> changed_;
  base::Random random_;
  cluster::BootClock clock_;
  FleetSlots slots_;
  std::string identity_;
  std::shared_ptr<const cluster::Settings> settings_;
  std::unique_ptr<cluster::Fleet> fleet_;
  std::uint64_t generation_ = 0;
};

}  // namespace app
