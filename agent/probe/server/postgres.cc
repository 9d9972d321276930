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
#include "base/random.h"
#include "crypto/digest.h"
#include "crypto/scram.h"
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

std::string u32(std::size_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
  return out;
}

std::size_t read_u32(std::string_view bytes) {
  std::size_t value = 0;
  for (std::size_t i = 0; i < 4 && i < bytes.size(); ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return bytes.size() < 4 ? 0 : value;
}

std::string message(const std::string& type, const std::string& body) { return type + u32(body.size() + 4) + body; }

// A field of an error: 'C' is its code, 'M' what it says.
std::string field(std::string_view error, char key) {
  while (!error.empty() && error[0] != '\0') {
    const std::size_t end = std::min(error.find('\0', 1), error.size());
    if (error[0] == key) return std::string(error.substr(1, end - 1));
    error.remove_prefix(std::min(end + 1, error.size()));
  }
  return "";
}

using Prepared = EndpointTarget<PostgresSettings>;

class PostgresProbe final : public StreamProbe {
 public:
  PostgresProbe(const Context& context, const Prepared& prepared)
      : StreamProbe(context, prepared.dial), prepared_(prepared), settings_(prepared.settings) {
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
    if (prepared_.tls && step_ == Step::tls_offer) return say(u32(8) + u32(80'877'103));
    step_ = Step::login;
    const std::string& database = settings_.database.empty() ? settings_.username : settings_.database;
    const auto parameter = [](const std::string& key, const std::string& value) { return key + '\0' + value + '\0'; };
    say(message("", u32(3 << 16) + parameter("user", settings_.username) + parameter("database", database) +
                        parameter("application_name", "fettle") + '\0'));
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
    while (!finished() && bytes.size() >= 5) {
      const std::size_t size = read_u32(std::string_view(bytes).substr(1));
      if (size < 4 || size > 64 * 1024 || std::string_view("RESZTDCKN").find(bytes[0]) == std::string_view::npos)
        return fail(Reason::protocol_error, "does not speak PostgreSQL's protocol");
      if (bytes.size() < size + 1) return;
      const char type = bytes[0];
      const std::string body = bytes.substr(5, size - 4);
      bytes.erase(0, size + 1);
      heard(type, body);
    }
  }

  void heard(char type, const std::string& body) {
    // Some users may not see all of replication; what else ends the connection is told when it is closed.
    if (type == 'E' && step_ == Step::asked && questions_[at_].kind == Question::Kind::replication) return;
    if (type == 'E') return refused(field(body, 'C'), field(body, 'M'));
    if (type == 'R') return authenticate(read_u32(body), body.size() < 4 ? "" : body.substr(4));
    if (type == 'T') return read_columns(body);
    if (type == 'D' && step_ == Step::asked) return read_row(body);
    if (type != 'Z') return;
    if (!authenticated_) return fail(Reason::protocol_error, "was ready before the login was done");
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

  void ask() {
    answer_ = {};
    say(message("Q", questions_[at_].sql + '\0'));
  }

  void leave() {
    if (failure_) return say_last(message("X", ""), std::move(*failure_));
    say_last(message("X", ""), Outcome::success(prepared_.target + " is a " + (*in_recovery_ ? "standby" : "primary")));
  }

  void refused(const std::string& code, const std::string& text) {
    // Class 28: login; 42501 and the rest are about the query. 57P03 is a server that starts, 53300 one that is full.
    const Reason reason = code.starts_with("28") ? Reason::auth_failed : Reason::status_mismatch;
    const SqlQuery* query = questions_[at_].query;
    const std::string whose = query == nullptr ? "" : "the query " + query->name + " ";
    fail(reason, "answered " + whose + "with error " + code + ": " + text);
  }

  void authenticate(std::size_t method, const std::string& body) {
    if (method == 0) {
      if (scram_ && !proven_) return fail(Reason::auth_failed, "did not prove that it knows the password");
      authenticated_ = true;
      return;
    }
    if (method == 11 && scram_) {
      const auto answer = scram_->final(body);
      if (!answer) return fail(Reason::protocol_error, "cannot be logged in to: " + answer.error().text);
      return say(message("p", *answer));
    }
    if (method == 12 && scram_) {
      proven_ = scram_->proves(body);
      return;
    }
    const auto password = base::credential(settings_.password, settings_.password_file);
    if (!password) return fail(Reason::agent_overloaded, "wants a password; there is none: " + password.error().text);
    if (password->empty()) return fail(Reason::auth_failed, "wants a password; give password_file");
    if (method == 10 && body.find(std::string("SCRAM-SHA-256\0", 14)) != std::string::npos) {
      static base::Random random = base::Random::from_entropy();
      scram_.emplace("", *password, random.identifier());
      const std::string first = scram_->first();
      return say(message("p", std::string("SCRAM-SHA-256\0", 14) + u32(first.size()) + first));
    }
    if (method == 5) {
      const auto inner = crypto::md5_hex(*password + settings_.username);
      const auto outer = inner ? crypto::md5_hex(*inner + body) : inner;
      if (!outer)
        return fail(Reason::agent_overloaded, "wants MD5, which is not to be had here: " + outer.error().text);
      return say(message("p", "md5" + *outer + '\0'));
    }
    const bool safe = prepared_.tls || !settings_.unix_socket.empty();
    if (method == 3 && safe) return say(message("p", *password + '\0'));
    fail(Reason::auth_failed, method == 3 ? "wants the password in the clear; set tls, or scram-sha-256 at the server"
                                          : "wants a login that this probe does not speak (method " +
                                                std::to_string(method) + "); set scram-sha-256 at the server");
  }

  // Names, each with 18 bytes about its type.
  void read_columns(std::string_view body) {
    body.remove_prefix(std::min<std::size_t>(body.size(), 2));
    while (!body.empty()) {
      const std::size_t end = std::min(body.find('\0'), body.size());
      answer_.columns.emplace_back(body.substr(0, end));
      body.remove_prefix(std::min(end + 19, body.size()));
    }
  }

  // Values, each with its length in front; a NULL has -1.
  void read_row(std::string_view row) {
    if (answer_.rows.size() > kMostSqlRows) return;
    row.remove_prefix(std::min<std::size_t>(row.size(), 2));
    auto& values = answer_.rows.emplace_back();
    while (row.size() >= 4) {
      const std::size_t size = read_u32(row);
      row.remove_prefix(4);
      if (size == 0xffffffff) {
        values.emplace_back();
        continue;
      }
      if (size > row.size()) return values.clear();
      values.emplace_back(row.substr(0, size));
      row.remove_prefix(size);
    }
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
  std::optional<crypto::ScramClient> scram_;
  bool proven_ = false;
  bool authenticated_ = false;
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
