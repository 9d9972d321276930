#include "recover/standby/mariadb_look.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/number.h"
#include "base/text.h"

namespace recover {
namespace {

using Answer = MariadbReply::Answer;

constexpr std::size_t kShown = 200;
constexpr int kGtidNotThere = 1236;  // the primary's log has not what the replica would go on from
// The locks by which several MaxScale agree on who of them promotes.
constexpr const char* kMaxscaleLocks[] = {"maxscale_mariadbmonitor", "maxscale_mariadbmonitor_master"};

// The columns of the first answer of a look, in this order.
namespace column {
enum Column : std::size_t {
  started,
  read_only,
  origin,
  server_id,
  log_bin,
  log_updates,
  binlog_pos,
  slave_pos,
  sync_binlog,
  flush_log,
  galera,
  maxscale,
  semi_sync,
  semi_sync_clients,
  count
};
}  // namespace column
using column::Column;

using Row = std::vector<std::optional<std::string>>;

std::string text(const Row& row, Column column) { return base::foreign_text(row[column].value_or(""), kShown); }
bool is_on(const Row& row, Column column) {
  const std::string value = row[column].value_or("0");
  return value == "1" || value == "ON";
}

// GTID of the last transaction of a domain.
struct Last {
  std::uint64_t server = 0, sequence = 0;
};
std::map<std::uint64_t, Last> read_gtids(std::string_view all) {
  std::map<std::uint64_t, Last> out;
  while (!all.empty()) {
    const std::size_t comma = std::min(all.find(','), all.size());
    const std::string_view one = all.substr(0, comma);
    all.remove_prefix(std::min(comma + 1, all.size()));
    const std::size_t first = one.find('-'), last = one.rfind('-');
    if (first == std::string_view::npos || first == last) continue;
    const auto number = [](std::string_view digits) { return base::read_number<std::uint64_t>(std::string(digits)); };
    const auto domain = number(one.substr(0, first)), server = number(one.substr(first + 1, last - first - 1)),
               sequence = number(one.substr(last + 1));
    if (!domain || !server || !sequence) continue;
    Last& found = out[*domain];
    if (*sequence >= found.sequence) found = {*server, *sequence};
  }
  return out;
}

std::int64_t sum(const std::map<std::uint64_t, std::uint64_t>& sequences) {
  std::int64_t out = 0;
  for (const auto& [domain, sequence] : sequences) out += static_cast<std::int64_t>(sequence);
  return out;
}

std::map<std::uint64_t, std::uint64_t> further(std::map<std::uint64_t, std::uint64_t> one,
                                               const std::map<std::uint64_t, std::uint64_t>& other) {
  for (const auto& [domain, sequence] : other) one[domain] = std::max(one[domain], sequence);
  return one;
}

// A transaction that this server has written and no primary has sent it.
std::string own_transaction(const Row& row) {
  const auto applied = read_gtids(row[column::slave_pos].value_or(""));
  for (const auto& [domain, last] : read_gtids(row[column::binlog_pos].value_or(""))) {
    const auto found = applied.find(domain);
    if (fmt::to_string(last.server) == row[column::server_id] &&
        (found == applied.end() || found->second.sequence < last.sequence))
      return fmt::format("it has written the transaction {}-{}-{} itself", domain, last.server, last.sequence);
  }
  return "";
}

// A replica that was the primary asks for what comes after its own last transaction, and both threads run until the new
// primary says that it does not have that. Only what has come from another server shows that it follows.
bool has_heard(const Answer& replication, const Row& row) {
  const auto received = read_gtids(mariadb_field(replication, "Gtid_IO_Pos"));
  return received.empty() || std::any_of(received.begin(), received.end(), [&row](const auto& each) {
           return fmt::to_string(each.second.server) != row[column::server_id];
         });
}

void read_replication(const Answer& answer, const Row& row, ServerLook& look) {
  const std::string io = mariadb_field(answer, "Slave_IO_Running"), sql = mariadb_field(answer, "Slave_SQL_Running");
  const std::string io_error = base::foreign_text(mariadb_field(answer, "Last_IO_Error"), kShown);
  const auto io_errno = base::read_number<int>(mariadb_field(answer, "Last_IO_Errno")).value_or(0);
  look.link_up = io == "Yes" && sql == "Yes" && has_heard(answer, row);
  look.stopped = io == "No" && io_errno == 0;
  look.follows = base::foreign_text(
      fmt::format("{}:{}", mariadb_field(answer, "Master_Host"), mariadb_field(answer, "Master_Port")), kShown);
  look.behind = base::read_number<double>(mariadb_field(answer, "Seconds_Behind_Master"));
  look.offset = std::max(look.offset, sum(further(gtid_sequences(row[column::slave_pos].value_or("")),
                                                  further(gtid_sequences(row[column::binlog_pos].value_or("")),
                                                          gtid_sequences(mariadb_field(answer, "Gtid_IO_Pos"))))));
  look.diverged = io == "No" && io_errno == kGtidNotThere ? io_error : own_transaction(row);
  if (!io_error.empty()) look.detail += ", " + io_error;
  if (const std::string error = mariadb_field(answer, "Last_SQL_Error"); !error.empty())
    look.detail += ", " + base::foreign_text(error, kShown);
  if (answer.rows.size() > 1) look.unfit = "it replicates from several servers";
  else if (mariadb_field(answer, "Using_Gtid") == "No") look.unfit = "it replicates by positions, not by GTID";
}

}  // namespace

std::string mariadb_field(const Answer& replication, std::string_view name) {
  if (replication.rows.empty()) return "";
  for (std::size_t i = 0; i < replication.columns.size() && i < replication.rows[0].size(); ++i)
    if (replication.columns[i] == name) return replication.rows[0][i].value_or("");
  return "";
}

std::map<std::uint64_t, std::uint64_t> gtid_sequences(std::string_view text) {
  std::map<std::uint64_t, std::uint64_t> out;
  for (const auto& [domain, last] : read_gtids(text)) out[domain] = last.sequence;
  return out;
}

// The uptime counts from the second in which the process began to that in which the statement did: their difference is
// the same as long as the process lives. The last statement tells whether an agent has opened this process, which it
// does only with one that was started closed.
std::vector<std::string> mariadb_look_statements() {
  const auto variable = [](const char* name, const char* what) {
    return fmt::format("(SELECT {} FROM information_schema.system_variables WHERE variable_name = '{}')", what, name);
  };
  const auto status = [](const char* name) {
    return fmt::format("(SELECT variable_value FROM information_schema.global_status WHERE variable_name = '{}')",
                       name);
  };
  const std::string started = fmt::format("UNIX_TIMESTAMP() - {}", status("UPTIME"));
  return {fmt::format("SELECT {}, @@global.read_only, {}, @@global.server_id, @@global.log_bin, "
                      "@@global.log_slave_updates, @@global.gtid_binlog_pos, @@global.gtid_slave_pos, "
                      "@@global.sync_binlog, @@global.innodb_flush_log_at_trx_commit, {}, "
                      "COALESCE(IS_USED_LOCK('{}'), IS_USED_LOCK('{}')), {}, {}",
                      started, variable("READ_ONLY", "global_value_origin"), variable("WSREP_ON", "global_value"),
                      kMaxscaleLocks[0], kMaxscaleLocks[1], status("RPL_SEMI_SYNC_MASTER_STATUS"),
                      status("RPL_SEMI_SYNC_MASTER_CLIENTS")),
          kMariadbReplication,
          fmt::format("SELECT count(*) FROM fettle.standby WHERE server_id = @@global.server_id AND started = {}",
                      started)};
}

ServerLook read_mariadb_look(const MariadbReply& reply) {
  ServerLook look;
  look.refused = reply.refused;
  look.trouble = reply.trouble;
  if (look.trouble.empty() && reply.version.find("MariaDB") == std::string::npos)
    look.trouble = "it is no MariaDB: " + base::foreign_text(reply.version, kShown);
  for (std::size_t i = 0; look.trouble.empty() && i < 2 && i < reply.answers.size(); ++i)
    if (!reply.answers[i].error.empty()) look.trouble = "it answered with " + reply.answers[i].error;
  if (!look.trouble.empty()) return look;
  const bool whole = reply.answers.size() == 3 && reply.answers[0].rows.size() == 1 &&
                     reply.answers[0].rows[0].size() == column::count;
  const Row none(column::count), &row = whole ? reply.answers[0].rows[0] : none;
  look.run_id = text(row, column::started);
  if (look.run_id.empty() || !row[column::read_only]) {
    look.trouble = "it does not tell when it was started, or whether it is read only";
    return look;
  }
  const Answer &replication = reply.answers[1], &opened = reply.answers[2];
  look.answers = true;
  look.primary = replication.rows.empty();
  look.closed = look.gate = is_on(row, column::read_only);
  const bool by_agent = opened.rows.size() == 1 && opened.rows[0].size() == 1 && opened.rows[0][0] != "0";
  const std::string origin = text(row, column::origin);
  look.gate_of_file = look.gate && (by_agent || origin == "CONFIG" || origin == "COMMAND-LINE");
  look.durable = row[column::sync_binlog] == "1" && row[column::flush_log] != "0" && row[column::flush_log] != "2";
  look.offset = sum(further(gtid_sequences(row[column::binlog_pos].value_or("")),
                            gtid_sequences(row[column::slave_pos].value_or(""))));
  look.replayed = look.offset;
  look.detail = "GTID " + text(row, look.primary ? column::binlog_pos : column::slave_pos);
  if (look.primary && is_on(row, column::semi_sync))
    look.detail += fmt::format(", semi-synchronous with {}", text(row, column::semi_sync_clients));
  if (is_on(row, column::galera)) look.managed = "galera";
  else if (row[column::maxscale]) look.managed = "maxscale";
  if (!look.primary) read_replication(replication, row, look);
  if (!is_on(row, column::log_bin) || !is_on(row, column::log_updates))
    look.unfit = "it has no log_bin or no log_slave_updates, so that no other one could follow it";
  if (!opened.error.empty()) look.unfit = "the agent cannot read its table fettle.standby: " + opened.error;
  return look;
}

}  // namespace recover
