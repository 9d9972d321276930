// MySQL and MariaDB: a whole login, a few questions, and a proper leave. Never only a handshake: the server counts
// those against the host, and after max_connect_errors of them it lets nobody of this node in any more.
#include <algorithm>
#include <utility>

#include "base/credential.h"
#include "base/number.h"
#include "crypto/digest.h"
#include "probe/common/endpoint.h"
#include "probe/common/probe_schema.h"
#include "probe/common/stream_probe.h"
#include "probe/registry.h"
#include "probe/server/mysql_protocol.h"
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

class MysqlProbe final : public StreamProbe {
 public:
  MysqlProbe(const Context& context, const Prepared& prepared)
      : StreamProbe(context, prepared.dial), prepared_(prepared), settings_(prepared.settings) {}

 private:
  enum class Step { greeting, login, giving_up, asking };
  enum class Part { header, columns, rows };

  void connected() override {
    if (greeting_) log_in();  // in TLS now
  }

  void received(std::string& bytes) override {
    while (!finished() && !upgrading() && bytes.size() >= 4) {
      const std::size_t size = mysql::Reader(bytes).number(3);
      if (size > 60 * 1024) return fail(Reason::protocol_error, "does not speak MySQL's protocol");
      if (bytes.size() < size + 4) return;
      sequence_ = static_cast<std::uint8_t>(bytes[3]);
      const std::string payload = bytes.substr(4, size);
      bytes.erase(0, size + 4);
      if (payload.empty()) return fail(Reason::protocol_error, "sent an empty packet");
      heard(payload);
    }
  }

  // Some servers close after a login that was given up, without a word.
  bool closed_by_peer() override {
    if (step_ != Step::giving_up) return false;
    fail(refusal_, why_not_);
    return true;
  }

  void heard(const std::string& payload) {
    switch (step_) {
      case Step::greeting: return greeted(payload);
      case Step::login: return answered_login(payload);
      case Step::giving_up: return fail(refusal_, why_not_);
      case Step::asking: return answered(payload);
    }
  }

  void greeted(const std::string& payload) {
    if (payload[0] == '\xff') return refused(payload);
    greeting_ = mysql::read_greeting(payload);
    if (!greeting_) return fail(Reason::protocol_error, "does not speak MySQL's protocol");
    step_ = Step::login;
    if (!prepared_.tls) return log_in();
    if ((greeting_->capabilities & mysql::kTls) == 0) return fail(Reason::tls_handshake, "does not offer TLS");
    reply(mysql::little_endian(capabilities(), 4) + mysql::little_endian(1 << 24, 4) + charset() +
          std::string(23, '\0'));
    go_on_in_tls(prepared_.tls);
  }

  std::uint32_t capabilities() const {
    return mysql::kLongPassword | mysql::kLongFlag | mysql::kProtocol41 | mysql::kTransactions |
           mysql::kSecureConnection | mysql::kPluginAuth | (settings_.database.empty() ? 0 : mysql::kWithDatabase) |
           (prepared_.tls ? mysql::kTls : 0);
  }
  static std::string charset() { return "\x2d"; }  // utf8mb4

  void log_in() {
    const auto password = base::credential(settings_.password, settings_.password_file);
    // The handshake goes on without: what is broken off in its middle counts against this host.
    password_ = password.value_or("");
    if (!password) {
      why_not_ = "wants a password; there is none: " + password.error().text;
      refusal_ = Reason::agent_overloaded;  // nothing is wrong with the server
    }
    plugin_ = greeting_->plugin;
    auto proof = mysql::proof(plugin_, password_, greeting_->salt);
    if (!proof) {  // the server will say whether this user logs in another way
      plugin_ = "mysql_native_password";
      proof = mysql::proof(plugin_, password_, greeting_->salt);
    }
    reply(mysql::little_endian(capabilities(), 4) + mysql::little_endian(1 << 24, 4) + charset() +
          std::string(23, '\0') + settings_.username + '\0' + static_cast<char>(proof->size()) + *proof +
          (settings_.database.empty() ? std::string() : settings_.database + '\0') + plugin_ + '\0');
  }

  void answered_login(const std::string& payload) {
    mysql::Reader in(payload);
    switch (in.number(1)) {
      case 0x00: return logged_in();
      case 0xff: return refused(payload);
      case 0xfe: {
        plugin_ = in.until_zero();
        greeting_->salt = in.text(20);
        const auto proof = mysql::proof(plugin_, password_, greeting_->salt);
        if (proof) return reply(*proof);
        // The password as it is, which PAM and LDAP behind a server need: only where nobody else can read it.
        if (plugin_ == "mysql_clear_password" && safe()) return reply(password_ + '\0');
        return give_up("wants a login that this probe does not speak (" + plugin_ +
                       "); give this user mysql_native_password or caching_sha2_password");
      }
      case 0x01: return more(in.rest());
      default: return fail(Reason::protocol_error, "does not speak MySQL's protocol");
    }
  }

  // Nobody on the way can read a password.
  bool safe() const { return prepared_.tls || !settings_.unix_socket.empty(); }

  // caching_sha2_password: known to the server's cache, or the password itself is wanted.
  void more(const std::string& what) {
    if (what == "\x03") return;  // it is known; the OK follows
    if (what == "\x04" && safe()) return reply(password_ + '\0');
    if (what == "\x04" && settings_.public_key_retrieval) return reply("\x02");
    if (what == "\x04")
      return give_up("wants the password itself, once; set tls, use unix_socket, or set public_key_retrieval");
    std::string secret = password_ + '\0';
    for (std::size_t i = 0; i < secret.size(); ++i)
      secret[i] = static_cast<char>(secret[i] ^ greeting_->salt[i % greeting_->salt.size()]);
    const auto sealed = crypto::rsa_oaep(what, secret);
    if (!settings_.public_key_retrieval || !sealed) return give_up("sent no public key to log in with");
    reply(*sealed);
  }

  // Lets the server end the login with its own refusal: a handshake that is finished is not held against this host.
  void give_up(std::string why) {
    why_not_ = std::move(why);
    step_ = Step::giving_up;
    reply("");
  }

  void refused(const std::string& payload) {
    const auto [code, text] = mysql::read_error(payload);
    const std::string said = "answered with error " + std::to_string(code) + ": " + text;
    // 1044, 1045, 1698: access denied; 1251, 1275, 1862: methods and expired passwords; 1129: this host is locked out.
    constexpr int kLogin[] = {1044, 1045, 1251, 1275, 1698, 1862, 1820};
    if (std::find(std::begin(kLogin), std::end(kLogin), code) != std::end(kLogin))
      return fail(refusal_, why_not_.empty() ? said : why_not_);
    if (code == 1129) return fail(Reason::auth_failed, said + "; somebody on this node breaks off its handshakes");
    fail(code == 1040 ? Reason::queue_saturated : Reason::status_mismatch, said);
  }

  struct Statement {
    enum class Kind { server, replica, query } kind;
    std::string sql;
    const SqlQuery* query = nullptr;
  };

  void logged_in() {
    step_ = Step::asking;
    statements_.push_back({Statement::Kind::server, "SELECT @@global.read_only"});
    if (settings_.role != "any" || settings_.max_lag.count() > 0)
      statements_.push_back({Statement::Kind::replica, "SHOW REPLICA STATUS"});
    for (const SqlQuery& query : settings_.queries) statements_.push_back({Statement::Kind::query, query.sql, &query});
    ask();
  }

  void ask() {
    answer_ = {};
    part_ = Part::header;
    say(mysql::packet(0, "\x03" + statements_[at_].sql));
  }

  void answered(const std::string& payload) {
    const auto first = static_cast<unsigned char>(payload[0]);
    if (first == 0xff) return failed_statement(payload);
    const bool end = first == 0xfe && payload.size() < 9;
    if (part_ == Part::header) {
      if (first == 0x00) return complete();  // an OK: the statement gave no rows and no columns
      columns_left_ = mysql::Reader(payload).length();
      part_ = Part::columns;
    } else if (part_ == Part::columns) {
      if (end) {
        part_ = Part::rows;
        return;
      }
      mysql::Reader in(payload);
      for (int i = 0; i < 4; ++i) in.value();  // catalog, schema, table, original table
      answer_.columns.push_back(in.value().value_or(""));
      if (answer_.columns.size() > columns_left_)
        return fail(Reason::protocol_error, "sent more columns than it had said");
    } else if (end) {
      complete();
    } else if (answer_.rows.size() <= kMostSqlRows) {
      mysql::Reader in(payload);
      auto& row = answer_.rows.emplace_back();
      while (!in.at_end()) row.push_back(in.value());
      if (in.broken()) return fail(Reason::protocol_error, "sent a broken row");
    }
  }

  void failed_statement(const std::string& payload) {
    const auto [code, text] = mysql::read_error(payload);
    Statement& statement = statements_[at_];
    // 1064: the words of before MySQL 8.0.22 and MariaDB 10.5.
    if (statement.kind == Statement::Kind::replica && code == 1064 && statement.sql == "SHOW REPLICA STATUS") {
      statement.sql = "SHOW SLAVE STATUS";
      return ask();
    }
    const std::string said = " was answered with error " + std::to_string(code) + ": " + text;
    if (statement.kind == Statement::Kind::replica)
      return leave(Outcome::failure(Reason::auth_failed, "the question about replication" + said +
                                                             "; the user needs REPLICATION CLIENT (MariaDB: REPLICA "
                                                             "MONITOR)"));
    leave(Outcome::failure(Reason::status_mismatch,
                           statement.query ? "query " + statement.query->name + said : "the first question" + said));
  }

  void complete() {
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
    leave(failure_ ? std::move(*failure_) : Outcome::success("is " + greeting_->version));
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

  void reply(std::string_view payload) { say(mysql::packet(++sequence_, payload)); }
  // COM_QUIT.
  void leave(Outcome outcome) {
    outcome.text = prepared_.target + " " + outcome.text;
    say_last(mysql::packet(0, "\x01"), std::move(outcome));
  }
  void fail(Reason reason, const std::string& what) { finish(Outcome::failure(reason, prepared_.target + " " + what)); }

  const Prepared& prepared_;
  const MysqlSettings& settings_;
  Step step_ = Step::greeting;
  std::optional<mysql::Greeting> greeting_;
  std::uint8_t sequence_ = 0;  // of the packet that came last
  std::string password_, plugin_;
  std::string why_not_;                   // this side cannot log in; the handshake is ended all the same
  Reason refusal_ = Reason::auth_failed;  // whose fault that is
  std::vector<Statement> statements_;
  std::size_t at_ = 0;
  Part part_ = Part::header;
  std::uint64_t columns_left_ = 0;
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
