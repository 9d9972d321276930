// PostgreSQL: a login, one query, and what it tells of recovery and replication. What this probe cannot log in with is
// a failure, never a success.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "base/credential.h"
#include "base/number.h"
#include "encoding/postgres_session.h"
#include "probe/common/endpoint.h"
#include "probe/common/probe_schema.h"
#include "probe/common/stream_probe.h"
#include "probe/common/values.h"
#include "probe/registry.h"
#include "probe/server/sql_query.h"

namespace probe {
namespace {

using model::Outcome;
using model::Reason;

struct PostgresSettings : EndpointSettings, LoginSettings {
  PostgresSettings() { port = 5432; }
  std::string database;
  std::string role = "any";
  base::Millis max_lag{};
  std::vector<SqlQuery> queries;
};

const config::Schema<PostgresSettings>& schema() {
  static const auto schema = [] {
    auto keys = probe_schema<PostgresSettings>("postgres");
    add_endpoint_keys(keys,
                      {.unix_socket = "Unix socket instead of host and port, such as /run/postgresql/.s.PGSQL.5432.",
                       .tls = "Ask for TLS before anything else; refuse to go on without."});
    add_login_keys(keys, Username::required, "Role to log in as; it needs no rights but to connect.",
                   "Password of the role.");
    return keys
        .optional("database", &PostgresSettings::database, "Database to connect to. Empty: that of the role's name.")
        .reach(config::Reach::listed)
        .optional("role", &PostgresSettings::role, "What the server must be: any, primary or standby.")
        .reach(config::Reach::listed)
        .optional("max_lag", &PostgresSettings::max_lag,
                  "Longest time that a standby's data may be behind; 0: not looked at.")
        .list("queries", &PostgresSettings::queries, sql_query_schema(), "Queries whose answers are measured.")
        .check([](const PostgresSettings& postgres, const config::Complain& complain) {
          if (postgres.role != "any" && postgres.role != "primary" && postgres.role != "standby")
            complain("role", "must be any, primary or standby");
          check_sql_queries(postgres.queries, complain);
        });
  }();
  return schema;
}

// A standby that has replayed all that it received is not behind, however long ago the last change was.
constexpr const char* kQuery =
    "SELECT pg_is_in_recovery(), CASE WHEN NOT pg_is_in_recovery() OR "
    "pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 ELSE "
    "COALESCE(EXTRACT(EPOCH FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 0) END";

// Asked where a role or a lag is configured; a server that does not answer it is not judged by it.
constexpr const char* kReplicationQuery =
    "SELECT "
    // Of a standby. What other users may not see of its receiver is NULL.
    "CASE WHEN pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) END, "
    "CASE WHEN pg_is_in_recovery() AND NOT EXISTS (SELECT FROM pg_stat_wal_receiver) THEN 0 ELSE "
    "(SELECT (status = 'streaming')::int FROM pg_stat_wal_receiver) END, "
    "(SELECT EXTRACT(EPOCH FROM clock_timestamp() - latest_end_time) FROM pg_stat_wal_receiver), "
    // Of a primary, or of a standby that others follow.
    "(SELECT count(*) FROM pg_stat_replication), "
    "(SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')), "
    "CASE WHEN NOT pg_is_in_recovery() THEN "
    "(SELECT max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)) FROM pg_stat_replication) END, "
    "(SELECT count(*) FROM pg_replication_slots WHERE NOT active), "
    "CASE WHEN NOT pg_is_in_recovery() THEN "
    "(SELECT max(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)) FROM pg_replication_slots) END, "
    "(SELECT timeline_id FROM pg_control_checkpoint())";

// What its columns measure.
constexpr std::array<const char*, 9> kMeasured{
    "probe_postgres_replay_lag_bytes", "probe_postgres_wal_receiver_streaming", "probe_postgres_last_message_seconds",
    "probe_postgres_standbys",         "probe_postgres_sync_standbys",          "probe_postgres_standby_lag_bytes",
    "probe_postgres_inactive_slots",   "probe_postgres_slot_retained_bytes",    "probe_postgres_timeline",
};

constexpr double kMostSeconds = 1e10;  // 300 years; more is no lag

using Prepared = EndpointTarget<PostgresSettings>;

using encoding::PostgresSession;

class PostgresProbe final : public StreamProbe {
 public:
  PostgresProbe(const Context& context, const Prepared& prepared)
      : StreamProbe(context, prepared.dial),
        prepared_(prepared),
        settings_(prepared.settings),
        session_({settings_.username, settings_.database,
                  [this] { return base::credential(settings_.password, settings_.password_file); },
                  prepared.tls || !settings_.unix_socket.empty()}) {
    questions_.push_back({Question::Kind::server, kQuery});
    if (settings_.role != "any" || settings_.max_lag.count() > 0)
      questions_.push_back({Question::Kind::replication, kReplicationQuery});
    for (const SqlQuery& query : settings_.queries) questions_.push_back({Question::Kind::query, query.sql, &query});
  }

 private:
  enum class Step { tls_offer, login, asked };
  struct Question {
    enum class Kind { server, replication, query };
    Kind kind;
    std::string sql;
    const SqlQuery* query = nullptr;
  };

  void connected() override {
    if (prepared_.tls && step_ == Step::tls_offer) return say(PostgresSession::tls_request());
    step_ = Step::login;
    say(session_.begin());
  }

  void received(std::string& bytes) override {
    if (prepared_.tls && step_ == Step::tls_offer) {
      const char answer = bytes[0];
      if (answer == 'S') {
        bytes.erase(0, 1);
        step_ = Step::login;
        return go_on_in_tls(prepared_.tls);
      }
      return fail(answer == 'N' ? Reason::tls_handshake : Reason::protocol_error,
                  answer == 'N' ? "does not offer TLS" : "does not speak PostgreSQL's protocol");
    }
    while (!finished()) {
      PostgresSession::Event event = session_.hear(bytes);
      if (event.kind == PostgresSession::Event::Kind::more) return;
      heard(std::move(event));
    }
  }

  void heard(PostgresSession::Event event) {
    using Kind = PostgresSession::Event::Kind;
    switch (event.kind) {
      case Kind::more:
      case Kind::heard: return;
      case Kind::send: return say(std::move(event.text));
      case Kind::failed: return fail(event.reason, event.text);
      case Kind::error:
        // Some users may not see all of replication; what else ends the connection is told when it is closed.
        if (step_ == Step::asked && questions_[at_].kind == Question::Kind::replication) return;
        return refused(event);
      case Kind::ready: break;
    }
    encoding::PostgresAnswer answer = session_.take_answer();
    answer_ = {std::move(answer.columns), std::move(answer.rows)};
    if (step_ != Step::asked) {
      step_ = Step::asked;
      return ask();
    }
    judge(questions_[at_]);
    if (finished()) return;
    if (++at_ == questions_.size()) return leave();
    ask();
  }

  void judge(const Question& question) {
    switch (question.kind) {
      case Question::Kind::server: return judge_server();
      case Question::Kind::replication: return measure_replication();
      case Question::Kind::query: return judge_query(*question.query);
    }
  }

  void ask() { say(PostgresSession::query(questions_[at_].sql)); }

  void leave() {
    if (failure_) return say_last(PostgresSession::goodbye(), std::move(*failure_));
    say_last(PostgresSession::goodbye(),
             Outcome::success(prepared_.target + " is a " + (*in_recovery_ ? "standby" : "primary")));
  }

  void refused(const PostgresSession::Event& error) {
    // Class 28: login; 42501 and the rest are about the query. 57P03 is a server that starts, 53300 one that is full.
    const Reason reason = error.code.starts_with("28") ? Reason::auth_failed : Reason::status_mismatch;
    const SqlQuery* query = questions_[at_].query;
    const std::string whose = query == nullptr ? "" : "the query " + query->name + " ";
    fail(reason, "answered " + whose + "with " + error.text);
  }

  void judge_server() {
    const auto& rows = answer_.rows;
    const bool whole = !rows.empty() && rows[0].size() == 2 && (rows[0][0] == "t" || rows[0][0] == "f");
    if (!whole) return fail(Reason::protocol_error, "did not answer the query");
    in_recovery_ = rows[0][0] == "t";
    lag_ = std::strtod(rows[0][1].value_or("0").c_str(), nullptr);
    if (!(std::abs(lag_) < kMostSeconds)) return fail(Reason::protocol_error, "did not answer the query");
    const std::string role = *in_recovery_ ? "standby" : "primary";
    if (settings_.role != "any" && settings_.role != role)
      return fail(Reason::status_mismatch, "is a " + role + ", not a " + settings_.role);
    const auto behind = std::chrono::duration_cast<base::Millis>(std::chrono::duration<double>(lag_));
    if (settings_.max_lag.count() > 0 && behind > settings_.max_lag)
      return fail(Reason::too_slow, "is " + base::format_duration(behind) + " behind its primary; max_lag is " +
                                        base::format_duration(settings_.max_lag));
  }

  void measure_replication() {
    if (answer_.rows.empty() || answer_.rows[0].size() != kMeasured.size()) return;
    for (std::size_t i = 0; i < kMeasured.size(); ++i)
      if (const auto& value = answer_.rows[0][i])
        if (const auto number = base::read_number<double>(*value)) learnt_.push_back({kMeasured[i], *number, {}});
  }

  // All queries are measured; the first that is wrong is told.
  void judge_query(const SqlQuery& query) {
    const std::string wrong = measure_sql(query, answer_, "probe_postgres_query_value", learnt_);
    if (!wrong.empty() && !failure_) failure_ = Outcome::failure(Reason::body_mismatch, prepared_.target + " " + wrong);
  }

  void measure(Outcome& outcome) override {
    for (auto& measurement : learnt_) outcome.measurements.push_back(std::move(measurement));
    if (!in_recovery_) return;
    outcome.measurements.push_back({"probe_postgres_in_recovery", *in_recovery_ ? 1.0 : 0.0, {}});
    if (*in_recovery_) outcome.measurements.push_back({"probe_postgres_replication_lag_seconds", lag_, {}});
  }

  void fail(Reason reason, const std::string& what) { finish(Outcome::failure(reason, prepared_.target + " " + what)); }

  const Prepared& prepared_;
  const PostgresSettings& settings_;
  Step step_ = Step::tls_offer;
  PostgresSession session_;
  std::optional<bool> in_recovery_;
  double lag_ = 0;
  std::vector<Question> questions_;
  std::size_t at_ = 0;  // the question that is being answered
  SqlAnswer answer_;
  Measurements learnt_;
  std::optional<Outcome> failure_;
};

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner&,
                                      config::Errors& errors) {
  Prepared prepared = endpoint_target(schema().parse(node, path, errors), TlsBegins::when_agreed, node, path, errors);
  return std::make_unique<PreparedSettings<PostgresProbe, Prepared>>(std::move(prepared));
}

}  // namespace

const Type postgres_type{
    .name = "postgres",
    .summary = "Logs in to PostgreSQL, runs a query, and checks role and lag of the server.",
    .example = R"(name: postgres
type: postgres
unix_socket: /run/postgresql/.s.PGSQL.5432
interval: 5s
timeout: 1s
username: fettle
password_file: /etc/fettle/postgres.password
database: postgres
role: primary
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {"probe_postgres_in_recovery"},
    .keys_of_target = [](std::string_view target) -> std::vector<std::pair<std::string, std::string>> {
      if (target.starts_with("/")) return {{"unix_socket", std::string(target)}};
      auto keys = host_and_port(target);
      if (keys.back().second.empty()) keys.pop_back();
      return keys;
    },
    .other_measurements = with_chain(
        {"probe_postgres_replication_lag_seconds", "probe_postgres_replay_lag_bytes",
         "probe_postgres_wal_receiver_streaming", "probe_postgres_last_message_seconds", "probe_postgres_standbys",
         "probe_postgres_sync_standbys", "probe_postgres_standby_lag_bytes", "probe_postgres_inactive_slots",
         "probe_postgres_slot_retained_bytes", "probe_postgres_timeline", "probe_postgres_query_value",
         "probe_ip_protocol", "probe_ip_addr_hash", "probe_dns_lookup_time_seconds"}),
};

}  // namespace probe
