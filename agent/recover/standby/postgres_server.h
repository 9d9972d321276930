// A PostgreSQL server of a standby. Nothing that an agent may say closes a primary to writes: a client may change
// default_transaction_read_only for itself. So it is ended, or started as a standby, by the fence program; here it is
// only looked at and promoted. Loop thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "encoding/postgres_session.h"
#include "recover/standby/standby_server.h"

namespace recover {

struct PostgresReply {
  bool refused = false;
  std::string trouble{};                            // "": each query has its answer, none is an error
  std::vector<encoding::PostgresAnswer> answers{};  // one for each query
};

std::string postgres_look_query();
// Pure; of the answer to that.
ServerLook read_postgres_look(const PostgresReply& reply);

class PostgresServers final : public StandbyServers {
 public:
  // Both live longer.
  PostgresServers(Standby spec, loop::Scheduler& scheduler, net::Dialer& dialer)
      : spec_(std::move(spec)), scheduler_(scheduler), dialer_(dialer) {}

  loop::Handle look(const StandbyMember& server, std::function<void(const ServerLook&)> done) override;
  loop::Handle promote(const StandbyMember& server, Done done) override;
  loop::Handle open(const StandbyMember& server, std::uint64_t fence, Done done) override;
  loop::Handle close(const StandbyMember& server, const Closing& closing, Done done) override;
  loop::Handle follow(const StandbyMember& server, const StandbyMember& primary, std::optional<Closing> closing,
                      Done done) override;

 private:
  loop::Handle ask(const StandbyMember& server, std::vector<std::string> queries, base::Duration limit,
                   std::function<void(PostgresReply)> done);
  loop::Handle cannot(Done done);

  Standby spec_;
  loop::Scheduler& scheduler_;
  net::Dialer& dialer_;
};

}  // namespace recover
