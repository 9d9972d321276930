// The election of standbys' primaries in the store of the fleet: an entry under the agent's lease, and a record beside
// it. Loop thread.
#pragma once

#include "app/fleet_link.h"
#include "recover/standby/election.h"

namespace app {

class StandbyElection final : public recover::Election {
 public:
  // Both live longer.
  StandbyElection(loop::Scheduler& scheduler, const FleetLink& link) : scheduler_(scheduler), link_(link) {}

  bool holds() const override;
  std::string store() const override;
  loop::Handle read(const std::string& service, std::function<void(recover::ElectionView)> done) override;
  loop::Handle take(const std::string& service, std::int64_t offset,
                    std::function<void(recover::ElectionAnswer)> done) override;
  loop::Handle drop(const std::string& service, std::function<void(recover::ElectionAnswer)> done) override;
  loop::Handle write(const std::string& service, const recover::StandbyRecord& record, std::uint64_t revision,
                     std::function<void(recover::ElectionAnswer)> done) override;
  loop::Handle observe(const std::string& service, const std::vector<std::string>& unreached,
                       std::function<void(recover::ElectionAnswer)> done) override;

 private:
  loop::Handle without_store(std::function<void(recover::ElectionAnswer)> done);

  loop::Scheduler& scheduler_;
  const FleetLink& link_;
};

}  // namespace app
