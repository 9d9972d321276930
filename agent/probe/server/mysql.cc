// MySQL and MariaDB: a whole login, a few questions, and a proper leave. Never only a handshake: the server counts
// those against the host, and after max_connect_errors of them it lets nobody of this node in any more.
#include <algorithm>
#include <utility>

#include "base/credential.h"
#include "base/number.h"
#include "encoding/mysql_session.h"
#include "probe/common/endpoint.h"
#include "probe/common/probe_schema.h"
#include "probe/common/stream_probe.h"
#include "probe/registry.h"
#include "probe/server/sql_query.h"

namespace probe {
namespace {

using model::Outcome;
using model::Reason;

struct MysqlSettings : EndpointSettings, LoginSettings {
  MysqlSettings() { port = 3306; }
  std::string database;
  bool public_key_retrieval = false;
  std::string role = "any";
  base::Millis max_lag{};
  std::vector<SqlQuery> queries;
};

const config::Schema<MysqlSettings>& schema() {
  static const auto schema = [] {
    auto keys = probe_schema<MysqlSettings>("mysql");
    add_endpoint_keys(keys, {.unix_socket = "Unix socket instead of host and port, such as /run/mysqld/mysqld.sock.",
                             .tls = "Go on in TLS after the greeting; refuse to go on without."});
    add_login_keys(keys, Username::required, "User to log in as; it needs no rights but to connect.");
    return keys.optional("database", &MysqlSettings::database, "Database to use. Empty: none.")
        .reach(config::Reach::listed)
        .optional("public_key_retrieval", &MysqlSettings::public_key_retrieval,
                  "Without TLS, take the server's public key for caching_sha2_password from the server itself. Only "
                  "where no attacker can stand in between.")
        .optional("role", &MysqlSettings::role,
                  "What it must be: any, primary (takes writes), or replica (whose replication must run).")
        .reach(config::Reach::listed)
        .optional("max_lag", &MysqlSettings::max_lag,
                  "Longest time that a replica's data may be behind; 0: not looked at.")
        .list("queries", &MysqlSettings::queries, sql_query_schema(), "Queries whose answers are measured.")
        .check([](const MysqlSettings& mysql, const config::Complain& complain) {
          if (mysql.role != "any" && mysql.role != "primary" && mysql.role != "replica")
            complain("role", "must be any, primary or replica");
          check_sql_queries(mysql.queries, complain);
        });
  }();
  return schema;
}

using Prepared = EndpointTarget<MysqlSettings>;

using encoding::MysqlSession;

class MysqlProbe final : public StreamProbe {
 public:
  MysqlProbe(const Context& context, const Prepared& prepared)
      : StreamProbe(context, prepared.dial),
        prepared_(prepared),
        settings_(prepared.settings),
        session_({settings_.username, settings_.database,
                  [this] { return base::credential(settings_.password, settings_.password_file); },
                  prepared.tls != nullptr, prepared.tls || !settings_.unix_socket.empty(),
                  settings_.public_key_retrieval}) {}

 private:
  void connected() override {
    if (!session_.version().empty()) say(session_.log_in());  // in TLS now
  }

  void received(std::string& bytes) override {
    while (!finished() && !upgrading()) {
      MysqlSession::Event event = session_.hear(bytes);
      if (event.kind == MysqlSession::Event::Kind::more) return;
      heard(std::move(event));
    }
  }

  // Some servers close after a login that was given up, without a word.
  bool closed_by_peer() override {
    const auto why = session_.given_up();
    if (why) fail(why->reason, why->text);
    return why.has_value();
  }

  void heard(MysqlSession::Event event) {
    using Kind = MysqlSession::Event::Kind;
    switch (event.kind) {
      case Kind::more:
      case Kind::heard: return;
      case Kind::send: return say(std::move(event.text));
      case Kind::secure: say(std::move(event.text)); return go_on_in_tls(prepared_.tls);
      case Kind::failed: return fail(event.reason, event.text);
      case Kind::error: return failed_statement(event);
      case Kind::ready: return statements_.empty() ? logged_in() : complete();
    }
  }

  struct Statement {
    enum class Kind { server, replica, query } kind;
    std::string sql;
    const SqlQuery* query = nullptr;
  };

  void logged_in() {
    statements_.push_back({Statement::Kind::server, "SELECT @@global.read_only"});
    if (settings_.role != "any" || settings_.max_lag.count() > 0)
      statements_.push_back({Statement::Kind::replica, "SHOW REPLICA STATUS"});
    for (const SqlQuery& query : settings_.queries) statements_.push_back({Statement::Kind::query, query.sql, &query});
    ask();
  }

  void ask() { say(session_.query(statements_[at_].sql)); }

  void failed_statement(const MysqlSession::Event& error) {
    Statement& statement = statements_[at_];
    // 1064: the words of before MySQL 8.0.22 and MariaDB 10.5.
    if (statement.kind == Statement::Kind::replica && error.code == 1064 && statement.sql == "SHOW REPLICA STATUS") {
      statement.sql = "SHOW SLAVE STATUS";
      return ask();
    }
    const std::string said = " was answered with error " + std::to_string(error.code) + ": " + error.text;
    if (statement.kind == Statement::Kind::replica)
      return leave(Outcome::failure(Reason::auth_failed, "the question about replication" + said +
                                                             "; the user needs REPLICATION CLIENT (MariaDB: REPLICA "
                                                             "MONITOR)"));
    leave(Outcome::failure(Reason::status_mismatch,
                           statement.query ? "query " + statement.query->name + said : "the first question" + said));
  }

  void complete() {
    encoding::MysqlAnswer answer = session_.take_answer();
    answer_ = {std::move(answer.columns), std::move(answer.rows)};
    const Statement& statement = statements_[at_];
    std::optional<Outcome> wrong;
    if (statement.kind == Statement::Kind::server) {
      read_only_ = !answer_.rows.empty() && !answer_.rows[0].empty() && answer_.rows[0][0].value_or("0") != "0";
      learnt_.push_back({"probe_mysql_read_only", read_only_ ? 1.0 : 0.0, {}});
    } else if (statement.kind == Statement::Kind::replica) {
      wrong = judge_replica();
    } else if (std::string text = measure_sql(*statement.query, answer_, "probe_mysql_query_value", learnt_);
               !text.empty()) {
      wrong = Outcome::failure(Reason::body_mismatch, text);
    }
    if (wrong && !failure_) failure_ = std::move(wrong);
    if (++at_ < statements_.size()) return ask();
    leave(failure_ ? std::move(*failure_) : Outcome::success("is " + session_.version()));
  }

  std::optional<std::string> of_replica(std::initializer_list<std::string_view> names) const {
    for (std::size_t i = 0; i < answer_.columns.size() && i < answer_.rows[0].size(); ++i)
      if (std::find(names.begin(), names.end(), answer_.columns[i]) != names.end()) return answer_.rows[0][i];
    return std::nullopt;
  }

  std::optional<Outcome> judge_replica() {
    const bool replica = !answer_.rows.empty();
    learnt_.push_back({"probe_mysql_is_replica", replica ? 1.0 : 0.0, {}});
    if (!replica) {
      if (settings_.role == "replica") return Outcome::failure(Reason::status_mismatch, "is not a replica of anybody");
      if (settings_.role == "primary" && read_only_)
        return Outcome::failure(Reason::status_mismatch, "is read only, and takes no writes");
      return std::nullopt;
    }
    const bool io = of_replica({"Replica_IO_Running", "Slave_IO_Running"}) == "Yes";
    const bool sql = of_replica({"Replica_SQL_Running", "Slave_SQL_Running"}) == "Yes";
    learnt_.push_back({"probe_mysql_replication_running", io && sql ? 1.0 : 0.0, {}});
    const auto behind = of_replica({"Seconds_Behind_Source", "Seconds_Behind_Master"});
    int seconds = 0;
    if (behind) {
      seconds = base::leading_number<int>(*behind).value_or(0);
      learnt_.push_back({"probe_mysql_replication_lag_seconds", static_cast<double>(seconds), {}});
    }
    if (settings_.role == "primary" && read_only_)
      return Outcome::failure(Reason::status_mismatch, "is a replica and read only, not a primary");
    if (!io || !sql) {
      std::string text =
          std::string("does not replicate: ") + (io ? "the SQL thread" : "the IO thread") + " is not running";
      for (const auto names : {std::initializer_list<std::string_view>{"Last_IO_Error"}, {"Last_SQL_Error"}})
        if (const auto error = of_replica(names); error && !error->empty()) text += "; " + *error;
      if (settings_.role == "primary") return std::nullopt;  // of another primary; not what was asked
      return Outcome::failure(Reason::status_mismatch, text);
    }
    const base::Millis lag = std::chrono::seconds(seconds);
    if (settings_.max_lag.count() > 0 && lag > settings_.max_lag)
      return Outcome::failure(Reason::too_slow, "is " + base::format_duration(lag) + " behind its source; max_lag is " +
                                                    base::format_duration(settings_.max_lag));
    return std::nullopt;
  }

  void measure(Outcome& outcome) override {
    for (auto& measurement : learnt_) outcome.measurements.push_back(std::move(measurement));
  }

  void leave(Outcome outcome) {
    outcome.text = prepared_.target + " " + outcome.text;
    say_last(MysqlSession::goodbye(), std::move(outcome));
  }
  void fail(Reason reason, const std::string& what) { finish(Outcome::failure(reason, prepared_.target + " " + what)); }

  const Prepared& prepared_;
  const MysqlSettings& settings_;
  MysqlSession session_;
  std::vector<Statement> statements_;
  std::size_t at_ = 0;
  SqlAnswer answer_;
  bool read_only_ = false;
  Measurements learnt_;
  std::optional<Outcome> failure_;
};

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner&,
                                      config::Errors& errors) {
  Prepared prepared = endpoint_target(schema().parse(node, path, errors), TlsBegins::when_agreed, node, path, errors);
  return std::make_unique<PreparedSettings<MysqlProbe, Prepared>>(std::move(prepared));
}

}  // namespace

const Type mysql_type{
    .name = "mysql",
    .summary = "Logs in to MySQL or MariaDB, checks role and replication, measures queries, and takes its leave.",
    .example = R"yaml(name: mysql
type: mysql
unix_socket: /run/mysqld/mysqld.sock
interval: 5s
timeout: 1s
username: fettle
password_file: /etc/fettle/mysql.password
role: primary
queries:
  - {name: waiting_orders, sql: "SELECT count(*) FROM shop.orders WHERE state = 'new'", less_than: 500}
)yaml",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {"probe_mysql_read_only"},
    .keys_of_target = [](std::string_view target) -> std::vector<std::pair<std::string, std::string>> {
      if (target.starts_with("/")) return {{"unix_socket", std::string(target)}};
      auto keys = host_and_port(target);
      if (keys.back().second.empty()) keys.pop_back();
      return keys;
    },
    .other_measurements = with_chain({"probe_mysql_is_replica", "probe_mysql_replication_running",
                                      "probe_mysql_replication_lag_seconds", "probe_mysql_query_value",
                                      "probe_ip_protocol", "probe_ip_addr_hash", "probe_dns_lookup_time_seconds"}),
};

}  // namespace probe
