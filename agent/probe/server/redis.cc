// Redis and what speaks like it (Valkey, KeyDB): PING, the replication link, lengths of lists and streams. All
// questions go out at once; the answers come in their order.
#include <algorithm>
#include <utility>

#include "base/credential.h"
#include "base/number.h"
#include "base/text.h"
#include "encoding/redis_reply.h"
#include "probe/common/endpoint.h"
#include "probe/common/probe_schema.h"
#include "probe/common/stream_probe.h"
#include "probe/common/values.h"
#include "probe/own_fault.h"
#include "probe/registry.h"

namespace probe {
namespace {

using encoding::RedisReply;
using model::Outcome;
using model::Reason;

struct RedisSettings : EndpointSettings, LoginSettings {
  RedisSettings() { port = 6379; }
  int database = 0;
  std::string role = "any";
  base::Millis max_last_io{};
  int min_replicas = 0;
  std::vector<std::string> lists;
  std::vector<std::string> streams;
  std::int64_t max_length = 0;
};

const config::Schema<RedisSettings>& schema() {
  static const auto schema = [] {
    auto keys = probe_schema<RedisSettings>("redis");
    add_endpoint_keys(keys);
    add_login_keys(keys, Username::optional, "User of the access list. Empty: the default user.",
                   "Password to log in with.");
    return keys.optional("database", &RedisSettings::database, "Database in which lists and streams are.")
        .optional("role", &RedisSettings::role,
                  "What it must be: any, master, or replica (whose link to its master must be up, too).")
        .reach(config::Reach::listed)
        .optional("max_last_io", &RedisSettings::max_last_io,
                  "Longest time since a replica heard from its master; 0: not looked at.")
        .optional("min_replicas", &RedisSettings::min_replicas, "Replicas that a master must have at least.")
        .optional("lists", &RedisSettings::lists, "Keys of lists whose length is measured.")
        .optional("streams", &RedisSettings::streams, "Keys of streams whose length is measured.")
        .optional("max_length", &RedisSettings::max_length,
                  "Length of a list or stream above which the run fails with queue_saturated; 0: any length is fine.")
        .check([](const RedisSettings& redis, const config::Complain& complain) {
          if (!redis.username.empty() && !redis.has_password()) complain("username", "needs password or password_file");
          if (redis.role != "any" && redis.role != "master" && redis.role != "replica")
            complain("role", "must be any, master or replica");
          if (redis.database < 0) complain("database", "must not be negative");
          if (redis.min_replicas < 0) complain("min_replicas", "must not be negative");
          if (redis.max_length < 0) complain("max_length", "must not be negative");
          if (redis.max_length > 0 && redis.lists.empty() && redis.streams.empty())
            complain("max_length", "needs lists or streams");
        });
  }();
  return schema;
}

constexpr int kMostReplicas = 100;  // that are measured

std::optional<std::int64_t> number(std::string_view text) { return base::read_number<std::int64_t>(text); }

// Of "ip=127.0.0.1,port=6380,state=online" the value of `key`; "" if it is not there.
std::string_view part(std::string_view line, std::string_view key) {
  while (!line.empty()) {
    const std::string_view each = line.substr(0, line.find(','));
    line.remove_prefix(std::min(each.size() + 1, line.size()));
    if (each.size() > key.size() && each.starts_with(key) && each[key.size()] == '=')
      return each.substr(key.size() + 1);
  }
  return "";
}

// Why an error says that something is wrong. Words as the server has them: LOADING, MASTERDOWN, NOAUTH …
Outcome judge_error(const std::string& question, const std::string& error) {
  const std::string_view word = std::string_view(error).substr(0, error.find(' '));
  const bool about_login =
      word == "NOAUTH" || word == "WRONGPASS" || word == "NOPERM" || word == "DENIED" ||
      (question == "AUTH" && (error.find("AUTH") != std::string::npos || error.find("password") != std::string::npos));
  if (word == "NOAUTH") return Outcome::failure(Reason::auth_failed, "wants a password; give password_file: " + error);
  if (about_login) return Outcome::failure(Reason::auth_failed, question + " was refused: " + error);
  if (word == "LOADING") return Outcome::failure(Reason::status_mismatch, "is still loading its data: " + error);
  if (word == "MASTERDOWN")
    return Outcome::failure(Reason::status_mismatch, "has lost its master and gives no stale data: " + error);
  return Outcome::failure(Reason::status_mismatch, question + " was answered with: " + error);
}

using Prepared = EndpointTarget<RedisSettings>;

class RedisProbe final : public StreamProbe {
 public:
  RedisProbe(const Context& context, const Prepared& prepared)
      : StreamProbe(context, prepared.dial), settings_(prepared.settings), target_(prepared.target) {}

 private:
  void connected() override {
    std::string all;
    const auto ask = [&](const std::vector<std::string>& words) {
      all += encoding::redis_command(words);
      questions_.push_back(words);
    };
    const auto password = base::credential(settings_.password, settings_.password_file);
    if (!password) return finish(failure_of(password.error(), Reason::agent_overloaded, "no password to send: "));
    if (!password->empty()) {
      std::vector<std::string> words{"AUTH", *password};
      if (!settings_.username.empty()) words.insert(words.begin() + 1, settings_.username);
      all += encoding::redis_command(words);
      questions_.push_back({"AUTH"});  // a password is not kept for texts
    }
    ask({"PING"});
    ask({"INFO", "replication"});
    if (settings_.database > 0) ask({"SELECT", std::to_string(settings_.database)});
    for (const std::string& key : settings_.lists) ask({"LLEN", key});
    for (const std::string& key : settings_.streams) ask({"XLEN", key});
    say(std::move(all));
  }

  void received(std::string& bytes) override {
    bool broken = false;
    while (answered_ < questions_.size()) {
      const std::optional<RedisReply> reply = encoding::take_redis_reply(bytes, broken);
      if (broken || (reply && reply->kind == '*'))
        return finish(Outcome::failure(Reason::protocol_error, target_ + " does not speak Redis' protocol"));
      if (!reply) return;
      judge(questions_[answered_++], *reply);
      // Nothing better can follow a refused login or a server that is not ready.
      if (failure_ && questions_[answered_ - 1][0] != "INFO") break;
    }
    if (failure_) {
      failure_->text = target_ + " " + failure_->text;
      return finish(std::move(*failure_));
    }
    finish(Outcome::success(target_ + " is " + (role_.empty() ? "there" : "a " + role_)));
  }

  void judge(const std::vector<std::string>& question, const RedisReply& reply) {
    const std::string& word = question[0];
    if (reply.kind == '-') {
      loading_ = loading_ || reply.text.starts_with("LOADING");
      // Many users may not ask for INFO; that matters only to those who expect something of it.
      const bool wanted = settings_.role != "any" || settings_.min_replicas > 0 || settings_.max_last_io.count() > 0;
      if (word == "INFO" && !wanted) return;
      return fail(judge_error(word, reply.text));
    }
    if (word == "PING" && reply.text != "PONG")
      return fail(
          Outcome::failure(Reason::protocol_error, "answered PING with '" + base::shortened(reply.text, 80) + "'"));
    if (word == "INFO") return judge_replication(reply.text);
    if (word == "LLEN" || word == "XLEN") judge_length(word == "LLEN" ? "list" : "stream", question[1], reply);
  }

  void judge_replication(std::string_view info) {
    role_ =
        encoding::redis_field(info, "role") == "slave" ? "replica" : std::string(encoding::redis_field(info, "role"));
    if (role_.empty()) return fail(Outcome::failure(Reason::protocol_error, "does not tell its role"));
    const auto measure_field = [&](const char* key, const char* name) {
      const auto value = number(encoding::redis_field(info, key));
      if (value && *value >= 0) learnt_.push_back({name, static_cast<double>(*value), {}});
      return value;
    };
    learnt_.push_back({"probe_redis_role_info", 1, {{"role", role_}}});
    const auto replicas = measure_field("connected_slaves", "probe_redis_connected_replicas");
    if (settings_.role != "any" && settings_.role != role_)
      return fail(Outcome::failure(Reason::status_mismatch, "is a " + role_ + ", not a " + settings_.role));
    measure_field(role_ == "master" ? "master_repl_offset" : "slave_repl_offset",
                  "probe_redis_replication_offset_bytes");
    if (role_ == "master") {
      // Told only where min-replicas-to-write is set, without which a master without a replica takes writes
      // that are lost when another one is made.
      measure_field("min_slaves_good_slaves", "probe_redis_good_replicas");
      measure_replicas(info);
      if (replicas.value_or(0) < settings_.min_replicas)
        fail(Outcome::failure(Reason::status_mismatch, "has " + std::to_string(replicas.value_or(0)) + " of the " +
                                                           std::to_string(settings_.min_replicas) +
                                                           " replicas that it must have"));
      return;
    }
    measure_field("master_sync_in_progress", "probe_redis_replication_sync_in_progress");
    const bool link_up = encoding::redis_field(info, "master_link_status") == "up";
    learnt_.push_back({"probe_redis_replication_link_up", link_up ? 1.0 : 0.0, {}});
    const auto last_io = measure_field("master_last_io_seconds_ago", "probe_redis_replication_last_io_seconds");
    const std::string master = std::string(encoding::redis_field(info, "master_host")) + ":" +
                               std::string(encoding::redis_field(info, "master_port"));
    const auto down_for = number(encoding::redis_field(info, "master_link_down_since_seconds"));
    if (!link_up && (settings_.role == "replica" || settings_.max_last_io.count() > 0))
      return fail(Outcome::failure(
          Reason::status_mismatch,
          "has no link to its master " + master +
              (down_for && *down_for >= 0 ? " since " + std::to_string(*down_for) + "s" : std::string())));
    if (settings_.max_last_io.count() > 0 && last_io &&
        static_cast<double>(*last_io) > base::seconds(settings_.max_last_io))
      fail(Outcome::failure(Reason::too_slow, "last heard from its master " + master + " " + std::to_string(*last_io) +
                                                  "s ago; max_last_io is " +
                                                  base::format_duration(settings_.max_last_io)));
  }

  // slave0:ip=127.0.0.1,port=6380,state=online,offset=56,lag=0
  void measure_replicas(std::string_view info) {
    const auto own = number(encoding::redis_field(info, "master_repl_offset"));
    for (int i = 0; i < kMostReplicas; ++i) {
      const std::string_view line = encoding::redis_field(info, "slave" + std::to_string(i));
      if (line.empty()) return;
      const std::string replica = std::string(part(line, "ip")) + ":" + std::string(part(line, "port"));
      learnt_.push_back(
          {"probe_redis_replica_online", part(line, "state") == "online" ? 1.0 : 0.0, {{"replica", replica}}});
      const auto offset = number(part(line, "offset"));
      if (own && offset)
        learnt_.push_back({"probe_redis_replica_lag_bytes",
                           static_cast<double>(std::max<std::int64_t>(*own - *offset, 0)),
                           {{"replica", replica}}});
    }
  }

  void judge_length(const std::string& kind, const std::string& key, const RedisReply& reply) {
    const auto length = number(reply.text);
    if (!length) return fail(Outcome::failure(Reason::protocol_error, "does not tell the length of " + key));
    learnt_.push_back({"probe_redis_" + kind + "_length", static_cast<double>(*length), {{"key", key}}});
    if (settings_.max_length == 0 || *length <= settings_.max_length) return;
    fail(Outcome::failure(Reason::queue_saturated, "has " + std::to_string(*length) + " entries in the " + kind + " " +
                                                       key + "; max_length is " +
                                                       std::to_string(settings_.max_length)));
  }

  void measure(Outcome& outcome) override {
    if (answered_ > 0) outcome.measurements.push_back({"probe_redis_loading", loading_ ? 1.0 : 0.0, {}});
    for (auto& measurement : learnt_) outcome.measurements.push_back(std::move(measurement));
  }

  // The first failure is the cause.
  void fail(Outcome failure) {
    if (!failure_) failure_ = std::move(failure);
  }

  const RedisSettings& settings_;
  const std::string& target_;
  std::vector<std::vector<std::string>> questions_;
  std::size_t answered_ = 0;
  bool loading_ = false;
  std::string role_;
  Measurements learnt_;
  std::optional<Outcome> failure_;
};

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner&,
                                      config::Errors& errors) {
  Prepared prepared = endpoint_target(schema().parse(node, path, errors), TlsBegins::at_once, node, path, errors);
  return std::make_unique<PreparedSettings<RedisProbe, Prepared>>(std::move(prepared));
}

}  // namespace

const Type redis_type{
    .name = "redis",
    .summary = "Logs in to Redis, sends PING, and checks role, replication and lengths of lists and streams.",
    .example = R"(name: redis
type: redis
host: 127.0.0.1
port: 6379
interval: 1s
timeout: 500ms
password_file: /etc/fettle/redis.password
role: master
lists: [orders]
max_length: 10000
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {"probe_redis_loading"},
    .keys_of_target = [](std::string_view target) -> std::vector<std::pair<std::string, std::string>> {
      if (target.starts_with("/")) return {{"unix_socket", std::string(target)}};
      auto keys = host_and_port(target);
      if (keys.back().second.empty()) keys.pop_back();
      return keys;
    },
    .other_measurements =
        with_chain({"probe_redis_replication_offset_bytes", "probe_redis_replication_sync_in_progress",
                    "probe_redis_good_replicas", "probe_redis_replica_online", "probe_redis_replica_lag_bytes",
                    "probe_redis_role_info", "probe_redis_connected_replicas", "probe_redis_replication_link_up",
                    "probe_redis_replication_last_io_seconds", "probe_redis_list_length", "probe_redis_stream_length",
                    "probe_ip_protocol", "probe_ip_addr_hash", "probe_dns_lookup_time_seconds"}),
};

}  // namespace probe
