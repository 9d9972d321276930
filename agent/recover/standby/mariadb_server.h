// A MariaDB server of a standby, asked and told over one session for each exchange. What closes it to writes is
// read_only, for all but users with READ_ONLY ADMIN. One statement opens it, so that statement must not come late: it
// is sent only by a session that holds a lock of the server (GET_LOCK), and who closes the server takes that lock
// first, ending the session that has it. Loop thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "recover/standby/mariadb_look.h"

namespace recover {

class MariadbServers final : public StandbyServers {
 public:
  // Both live longer.
  MariadbServers(Standby spec, loop::Scheduler& scheduler, net::Dialer& dialer)
      : spec_(std::move(spec)), scheduler_(scheduler), dialer_(dialer) {}

  loop::Handle look(const StandbyMember& server, std::function<void(const ServerLook&)> done) override;
  loop::Handle promote(const StandbyMember& server, Done done) override;
  loop::Handle open(const StandbyMember& server, std::uint64_t fence, Done done) override;
  loop::Handle close(const StandbyMember& server, const Closing& closing, Done done) override;
  loop::Handle follow(const StandbyMember& server, const StandbyMember& primary, std::optional<Closing> closing,
                      Done done) override;
  loop::Handle demote(const StandbyMember& server, const StandbyMember& primary, std::optional<Closing> closing,
                      Done done) override;

 private:
  using Answers = std::vector<MariadbReply::Answer>;
  // The next statement by the answers so far; "": that was all. Or why the exchange ends here.
  using Next = std::function<base::Result<std::string>(const Answers&)>;

  loop::Handle ask(const StandbyMember& server, base::Duration limit, Next next,
                   std::function<void(MariadbReply)> done);
  loop::Handle tell(const StandbyMember& server, base::Duration limit, std::vector<Next> steps, Done done);
  std::vector<Next> replicate(const StandbyMember& primary, bool start) const;

  Standby spec_;
  loop::Scheduler& scheduler_;
  net::Dialer& dialer_;
};

}  // namespace recover
