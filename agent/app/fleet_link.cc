#include "app/fleet_link.h"

#include <fmt/format.h>

#include <utility>

#include "base/hash.h"

namespace app {
namespace {

// The only record: the lease, behind the fleet that it is of. Another store would not know what to say to it.
const std::string kLease = "lease";
std::string record_of(const std::string& fleet, const std::string& lease) { return fleet + "\n" + lease; }

std::string remembered(const state::State& state, const std::string& fleet) {
  const auto& records = state.read(state::Table::fleet);
  const auto found = records.find(kLease);
  if (found == records.end() || !found->second.starts_with(record_of(fleet, ""))) return "";
  return found->second.substr(fleet.size() + 1);
}

}  // namespace

void FleetLink::replace(const cluster::FleetSettings& settings, const std::vector<cluster::FleetService>& services,
                        const std::string& node, state::State& state) {
  // Hashed: credentials may stand in it, and it is written down.
  const std::string identity =
      settings.store == nullptr
          ? ""
          : fmt::format("{:016x}", base::fnv1a(fmt::format("{} {} {}", node, settings.ttl.count(), settings.identity)));
  if (identity != identity_) {
    if (fleet_ != nullptr) fleet_->leave("the fleet is configured anew");
    slots_.use(nullptr);
    fleet_.reset();
    ++generation_;
    settings_ = settings.store;
    identity_ = identity;
    if (settings_ != nullptr) {
      cluster::FleetCallbacks callbacks;
      callbacks.changed = [this] {
        slots_.fleet_changed();
        changed_();
      };
      callbacks.keep_lease = [&state, identity](const std::string& lease) {
        if (remembered(state, identity) == lease) return;
        state.commit({state::Change::put(state::Table::fleet, kLease, record_of(identity, lease))}, {});
      };
      fleet_ = std::make_unique<cluster::Fleet>(
          scheduler_, clock_, base::Random(random_.next()),
          settings_->make({scheduler_, http_, node, random_.next()}, cluster::try_limit(settings.ttl)),
          cluster::FleetOptions{node, settings.ttl, remembered(state, identity)}, std::move(callbacks));
      slots_.use(fleet_.get());
    }
  }
  if (fleet_ != nullptr) fleet_->replace(services);
}

base::Result<std::string> FleetLink::shared() const {
  std::string entries = fleet_ == nullptr ? "" : fleet_->shared();
  if (entries.empty())
    return base::fail(base::Kind::not_found,
                      "this agent is in no fleet of peers: its configuration has no fleet.peers");
  return entries;
}

void FleetLink::on_health(const std::string& service, model::Health health, base::WallTime since) {
  if (fleet_ != nullptr) fleet_->on_health(service, health, since);
}

void FleetLink::told(const std::string& service, bool told) {
  if (fleet_ != nullptr) fleet_->told(service, told);
}

}  // namespace app
