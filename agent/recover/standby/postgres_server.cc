#include "recover/standby/postgres_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "base/credential.h"
#include "base/number.h"
#include "base/text.h"
#include "recover/standby/mariadb_server.h"
#include "recover/standby/redis_server.h"

namespace recover {

using namespace std::chrono_literals;

namespace {

using encoding::PostgresSession;

constexpr std::size_t kShown = 200;
constexpr std::chrono::seconds kPromoteWithin{5};  // as the server is told; it goes on after that

class Exchange final : public loop::Registration {
 public:
  Exchange(loop::Scheduler& scheduler, net::Dialer& dialer, const StandbyMember& server, const StandbyLogin& login,
           std::vector<std::string> queries, base::Duration limit, std::function<void(PostgresReply)> done)
      : session_({login.username, login.database,
                  [login] { return base::credential(login.password, login.password_file); }, login.tls != nullptr}),
        tls_(login.tls),
        host_(server.host),
        queries_(std::move(queries)),
        done_(std::move(done)) {
    net::Dial dial;
    dial.host = server.host;
    dial.port = server.port;
    dial.deadline = scheduler.now() + limit;
    pending_ = dialer.connect(std::move(dial), [this](net::Connected connected) { begin(std::move(connected)); });
  }

 private:
  void begin(net::Connected connected) {
    if (!connected.stream) {
      reply_.refused = connected.failure.reason == model::Reason::refused;
      return fail(connected.failure.text);
    }
    stream_ = std::move(connected.stream);
    stream_->read([this](std::string_view bytes, const net::StreamFailure* failure) { received(bytes, failure); });
    stream_->write(tls_ ? PostgresSession::tls_request() : session_.begin(), nullptr);
  }

  // The server says S, and nothing else, before TLS begins.
  void agree_on_tls() {
    if (in_[0] != 'S') return fail("it does not offer TLS");
    const std::string unread = in_.substr(1);
    in_.clear();
    stream_->start_tls(std::exchange(tls_, nullptr), host_, unread, [this](const net::StreamFailure* failure) {
      if (failure != nullptr) return fail(failure->text);
      stream_->write(session_.begin(), nullptr);
    });
  }

  void received(std::string_view bytes, const net::StreamFailure* failure) {
    using Kind = PostgresSession::Event::Kind;
    if (failure != nullptr) return fail(failure->text);
    if (bytes.empty()) return fail("it closed the connection");
    in_ += bytes;
    if (tls_) return agree_on_tls();
    while (true) {
      PostgresSession::Event event = session_.hear(in_);
      switch (event.kind) {
        case Kind::more: return;
        case Kind::heard: break;
        case Kind::send: stream_->write(std::move(event.text), nullptr); break;
        case Kind::error: return fail("it answered with " + base::foreign_text(event.text, kShown));
        case Kind::failed: return fail("it " + event.text);
        case Kind::ready:
          if (asked_ > 0) reply_.answers.push_back(session_.take_answer());
          if (asked_ == queries_.size()) return end();
          stream_->write(PostgresSession::query(queries_[asked_++]), nullptr);
      }
    }
  }

  void fail(std::string why) {
    reply_.trouble = std::move(why);
    end();
  }

  // May destroy this object. Where it is kept, nothing of the connection comes any more.
  void end() {
    stream_.reset();
    const auto done = std::move(done_);
    done(std::move(reply_));
  }

  PostgresSession session_;
  std::shared_ptr<net::TlsContext> tls_;  // until it has begun
  std::string host_;
  std::vector<std::string> queries_;
  std::size_t asked_ = 0;
  std::function<void(PostgresReply)> done_;
  std::string in_;
  PostgresReply reply_;
  loop::Handle pending_;
  std::unique_ptr<net::Stream> stream_;
};

// The columns of the look, in this order.
namespace column {
enum Column : std::size_t {
  recovery,
  system_identifier,
  started,
  position,
  replayed,
  timeline,
  behind,
  streaming,
  follows,
  name,
  synchronous,
  sync,
  may_promote,
  managed,
  count
};
}  // namespace column
using column::Column;

using Row = std::vector<std::optional<std::string>>;

bool is_true(const Row& row, Column column) { return row[column] == "t"; }
std::string text(const Row& row, Column column) { return base::foreign_text(row[column].value_or(""), kShown); }
template <typename Number>
std::optional<Number> number(const Row& row, Column column) {
  return base::read_number<Number>(row[column].value_or(""));
}

}  // namespace

// What is running with a manager is known by its connections, which stand in pg_stat_activity all the time, by what it
// has to be installed with, and of Patroni by the options that it starts a server with. Of a standby the timeline in
// the control file is that of its last restartpoint at least.
std::string postgres_look_query() {
  return "SELECT pg_is_in_recovery(), "
         "(SELECT system_identifier FROM pg_control_system()), "
         "EXTRACT(EPOCH FROM pg_postmaster_start_time()), "
         "pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN "
         "GREATEST(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) ELSE pg_current_wal_lsn() END, '0/0'), "
         "pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0'), "
         "CASE WHEN pg_is_in_recovery() THEN COALESCE((SELECT received_tli FROM pg_stat_wal_receiver), GREATEST("
         "(SELECT timeline_id FROM pg_control_checkpoint()), "
         "(SELECT min_recovery_end_timeline FROM pg_control_recovery()))) "
         "ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END, "
         "CASE WHEN pg_is_in_recovery() AND pg_last_wal_receive_lsn() <> pg_last_wal_replay_lsn() THEN "
         "EXTRACT(EPOCH FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END, "
         "(SELECT status = 'streaming' FROM pg_stat_wal_receiver), "
         "(SELECT sender_host || ':' || sender_port FROM pg_stat_wal_receiver), "
         "COALESCE((SELECT COALESCE(substring(conninfo from '(?:^| )application_name=(\\S+)'), "
         "substring(conninfo from 'fallback_application_name=(\\S+)')) FROM pg_stat_wal_receiver), "
         "current_setting('cluster_name')), "
         "current_setting('synchronous_standby_names') <> '', "
         "(SELECT string_agg(application_name, ',') FROM pg_stat_replication "
         "WHERE sync_state IN ('sync', 'quorum') AND state = 'streaming'), "
         "has_function_privilege('pg_promote(boolean,integer)', 'EXECUTE'), "
         "CASE "
         "WHEN EXISTS (SELECT FROM pg_stat_activity WHERE application_name ILIKE 'patroni%') "
         "OR (SELECT count(*) FROM pg_settings WHERE source = 'command line' AND name IN ('cluster_name', "
         "'max_locks_per_transaction', 'max_prepared_transactions', 'track_commit_timestamp', 'wal_log_hints')) = 5 "
         "THEN 'patroni' "
         "WHEN current_setting('shared_preload_libraries') LIKE '%repmgr%' "
         "OR EXISTS (SELECT FROM pg_extension WHERE extname = 'repmgr') "
         "OR EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'repmgr%') THEN 'repmgr' "
         "WHEN current_setting('shared_preload_libraries') LIKE '%pgautofailover%' "
         "OR EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'pgautofailover%') "
         "THEN 'pg_auto_failover' "
         "WHEN EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'cnpg%') THEN 'cloudnative_pg' END";
}

ServerLook read_postgres_look(const PostgresReply& reply) {
  ServerLook look;
  look.refused = reply.refused;
  look.trouble = reply.trouble;
  if (!look.trouble.empty()) return look;
  const bool whole = reply.answers.size() == 1 && reply.answers[0].rows.size() == 1 &&
                     reply.answers[0].rows[0].size() == column::count;
  const Row none(column::count), &row = whole ? reply.answers[0].rows[0] : none;
  look.primary = row[column::recovery] == "f";
  look.system = text(row, column::system_identifier);
  look.run_id = text(row, column::started);
  look.timeline = number<std::uint64_t>(row, column::timeline).value_or(0);
  const auto at = number<std::int64_t>(row, column::position);
  if ((!look.primary && !is_true(row, column::recovery)) || look.system.empty() || look.run_id.empty() || !at) {
    look.trouble = "it does not tell its role, its system identifier or its place in the WAL";
    return look;
  }
  look.answers = true;
  look.closed = !look.primary;
  look.durable = true;
  look.offset = *at;
  look.replayed = look.primary ? *at : number<std::int64_t>(row, column::replayed).value_or(0);
  look.behind = number<double>(row, column::behind);
  look.managed = text(row, column::managed);
  if (!is_true(row, column::may_promote))
    look.unfit = "the agent's role may not promote it: GRANT EXECUTE ON FUNCTION pg_promote TO it";
  if (!look.primary) {
    look.link_up = is_true(row, column::streaming);
    look.follows = text(row, column::follows);
    look.name = text(row, column::name);
    return look;
  }
  look.synchronous = is_true(row, column::synchronous);
  for (std::string_view rest = row[column::sync] ? *row[column::sync] : std::string_view(); !rest.empty();) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    look.sync.push_back(base::foreign_text(rest.substr(0, comma), kShown));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return look;
}

loop::Handle PostgresServers::ask(const StandbyMember& server, std::vector<std::string> queries, base::Duration limit,
                                  std::function<void(PostgresReply)> done) {
  return loop::Handle(std::make_unique<Exchange>(scheduler_, dialer_, server, spec_->login, std::move(queries), limit,
                                                 std::move(done)));
}

loop::Handle PostgresServers::look(const StandbyMember& server, std::function<void(const ServerLook&)> done) {
  return ask(server, {postgres_look_query()}, kLimit,
             [done = std::move(done)](const PostgresReply& reply) { done(read_postgres_look(reply)); });
}

// It replays all that it has received before.
loop::Handle PostgresServers::promote(const StandbyMember& server, Done done) {
  return ask(server, {fmt::format("SELECT pg_promote(true, {})", kPromoteWithin.count())}, kPromoteWithin + kLimit,
             [done = std::move(done)](const PostgresReply& reply) {
               if (!reply.trouble.empty()) return done(reply.trouble);
               const auto& rows = reply.answers.at(0).rows;
               const bool promoted = rows.size() == 1 && rows[0].size() == 1 && rows[0][0] == "t";
               done(promoted ? "" : fmt::format("it is in recovery after {} s still", kPromoteWithin.count()));
             });
}

// On its own disk: whether a synchronous standby confirms it is another question.
loop::Handle PostgresServers::open(const StandbyMember& server, std::uint64_t fence, Done done) {
  return ask(server,
             {"SET synchronous_commit = local",
              fmt::format("SELECT pg_logical_emit_message(true, 'fettle', 'fence {}')", fence)},
             kLimit, [done = std::move(done)](const PostgresReply& reply) { done(reply.trouble); });
}

loop::Handle PostgresServers::cannot(Done done) {
  return scheduler_.after(0s, [done = std::move(done)] { done("an agent cannot tell that to PostgreSQL"); });
}

loop::Handle PostgresServers::close(const StandbyMember&, const Closing&, Done done) { return cannot(std::move(done)); }

loop::Handle PostgresServers::follow(const StandbyMember&, const StandbyMember&, std::optional<Closing>, Done done) {
  return cannot(std::move(done));
}

std::unique_ptr<StandbyServers> standby_servers(const Standby& spec, loop::Scheduler& scheduler, net::Dialer& dialer) {
  if (spec->kind == StandbyKind::postgres) return std::make_unique<PostgresServers>(spec, scheduler, dialer);
  if (spec->kind == StandbyKind::mariadb) return std::make_unique<MariadbServers>(spec, scheduler, dialer);
  return std::make_unique<RedisServers>(spec, scheduler, dialer);
}

}  // namespace recover
