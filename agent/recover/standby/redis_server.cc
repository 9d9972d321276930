#include "recover/standby/redis_server.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "base/credential.h"
#include "base/number.h"
#include "base/text.h"

namespace recover {
namespace {

using encoding::redis_field;
using encoding::RedisReply;

constexpr std::size_t kShown = 200;
constexpr const char* kHello = "__sentinel__:hello";  // where Sentinels that watch a server speak to each other

class Exchange final : public loop::Registration {
 public:
  Exchange(loop::Scheduler& scheduler, net::Dialer& dialer, const StandbyMember& server, const StandbyLogin& login,
           const std::vector<std::vector<std::string>>& commands, std::function<void(RedisAnswer)> done)
      : done_(std::move(done)) {
    const auto password = base::credential(login.password, login.password_file);
    if (!password) {
      pending_ = scheduler.after({}, [this, why = password.error().text] { fail("no password to send: " + why); });
      return;
    }
    if (!password->empty()) {
      std::vector<std::string> words{"AUTH", *password};
      if (!login.username.empty()) words.insert(words.begin() + 1, login.username);
      out_ = encoding::redis_command(words);
      skip_ = 1;
    }
    for (const auto& words : commands) out_ += encoding::redis_command(words);
    wanted_ = commands.size() + skip_;
    net::Dial dial;
    dial.host = server.host;
    dial.port = server.port;
    dial.tls = login.tls;
    dial.deadline = scheduler.now() + StandbyServers::kLimit;
    pending_ = dialer.connect(std::move(dial), [this](net::Connected connected) { begin(std::move(connected)); });
  }

 private:
  void begin(net::Connected connected) {
    if (!connected.stream) {
      answer_.refused = connected.failure.reason == model::Reason::refused;
      return fail(connected.failure.text);
    }
    stream_ = std::move(connected.stream);
    stream_->read([this](std::string_view bytes, const net::StreamFailure* failure) { received(bytes, failure); });
    stream_->write(std::move(out_), nullptr);
  }

  void received(std::string_view bytes, const net::StreamFailure* failure) {
    if (failure != nullptr) return fail(failure->text);
    if (bytes.empty()) return fail("it closed the connection");
    in_ += bytes;
    bool broken = false;
    while (answer_.replies.size() < wanted_) {
      auto reply = encoding::take_redis_reply(in_, broken);
      if (broken) return fail("it does not speak Redis' protocol");
      if (!reply) return;
      answer_.replies.push_back(std::move(*reply));
    }
    for (const RedisReply& reply : answer_.replies)
      if (reply.kind == '-') return fail(base::foreign_text(reply.text, kShown));
    answer_.replies.erase(answer_.replies.begin(), answer_.replies.begin() + static_cast<std::ptrdiff_t>(skip_));
    end();
  }

  void fail(std::string why) {
    answer_.trouble = std::move(why);
    end();
  }

  // May destroy this object. Where it is kept, nothing of the connection comes any more.
  void end() {
    stream_.reset();
    const auto done = std::move(done_);
    done(std::move(answer_));
  }

  std::function<void(RedisAnswer)> done_;
  std::string out_, in_;
  std::size_t wanted_ = 0, skip_ = 0;
  RedisAnswer answer_;
  loop::Handle pending_;
  std::unique_ptr<net::Stream> stream_;
};

std::vector<std::string> set_replicas(int replicas) {
  return {"CONFIG", "SET", "min-replicas-to-write", std::to_string(replicas)};
}

std::vector<std::vector<std::string>> closing_commands(const StandbyServers::Closing& closing) {
  std::vector<std::vector<std::string>> out{{"CONFIG", "SET", "min-replicas-max-lag", "10"}};
  if (closing.replica) out.push_back({"CONFIG", "SET", "replica-read-only", "yes"});
  out.push_back(set_replicas(closing.by_file ? kClosedReplicas : kClosedByAgent));
  return out;
}

std::int64_t number_in(std::string_view info, std::string_view key) {
  return base::read_number<std::int64_t>(redis_field(info, key)).value_or(0);
}

// Of "name, value, name, value".
std::string setting(const RedisReply& reply, std::string_view name) {
  for (std::size_t i = 0; i + 1 < reply.items.size(); i += 2)
    if (reply.items[i].text == name) return reply.items[i + 1].text;
  return "";
}

}  // namespace

std::vector<std::vector<std::string>> look_commands() {
  return {{"INFO"},
          {"CONFIG", "GET", "min-replicas-*"},
          {"CONFIG", "GET", "replica-read-only"},
          {"PUBSUB", "NUMSUB", kHello}};
}

ServerLook read_look(const RedisAnswer& answer) {
  ServerLook look;
  look.refused = answer.refused;
  look.trouble = answer.trouble;
  if (!look.trouble.empty()) return look;
  const std::string& info = answer.replies.at(0).text;
  const std::string_view role = redis_field(info, "role");
  look.primary = role == "master";
  look.run_id = base::foreign_text(redis_field(info, "run_id"), kShown);
  const auto wanted = base::read_number<std::int64_t>(setting(answer.replies.at(1), "min-replicas-to-write"));
  const auto lag = base::read_number<std::int64_t>(setting(answer.replies.at(1), "min-replicas-max-lag"));
  if ((!look.primary && role != "slave") || look.run_id.empty() || !wanted || !lag) {
    look.trouble = "it does not tell its role, its run_id or min-replicas-to-write";
    return look;
  }
  look.answers = true;
  look.gate = *wanted >= kClosedReplicas && *lag > 0;
  look.gate_of_file = look.gate && *wanted != kClosedByAgent;
  look.closed = look.primary ? look.gate : setting(answer.replies.at(2), "replica-read-only") == "yes";
  look.loading = number_in(info, "loading") != 0;
  look.durable = number_in(info, "aof_enabled") != 0;
  look.offset = number_in(info, look.primary ? "master_repl_offset" : "slave_repl_offset");
  if (!look.primary) {
    look.link_up = redis_field(info, "master_link_status") == "up";
    look.syncing = number_in(info, "master_sync_in_progress") != 0;
    look.follows = base::foreign_text(
        fmt::format("{}:{}", redis_field(info, "master_host"), redis_field(info, "master_port")), kShown);
  }
  const RedisReply& hello = answer.replies.at(3);
  if (hello.items.size() == 2 && hello.items[1].text != "0") look.managed = "sentinel";
  if (number_in(info, "cluster_enabled") != 0) look.managed = "cluster";
  return look;
}

loop::Handle RedisServers::ask(const StandbyMember& server, const Commands& commands,
                               std::function<void(RedisAnswer)> done) {
  return loop::Handle(std::make_unique<Exchange>(scheduler_, dialer_, server, spec_->login, commands, std::move(done)));
}

loop::Handle RedisServers::tell(const StandbyMember& server, const Commands& commands, Done done) {
  return ask(server, commands, [done = std::move(done)](const RedisAnswer& answer) { done(answer.trouble); });
}

loop::Handle RedisServers::look(const StandbyMember& server, std::function<void(const ServerLook&)> done) {
  return ask(server, look_commands(), [done = std::move(done)](const RedisAnswer& answer) { done(read_look(answer)); });
}

loop::Handle RedisServers::promote(const StandbyMember& server, Done done) {
  return tell(server, {{"REPLICAOF", "NO", "ONE"}}, std::move(done));
}

loop::Handle RedisServers::open(const StandbyMember& server, std::uint64_t fence, Done done) {
  return tell(server,
              {set_replicas(0), {"SET", "fettle:standby:" + spec_->service, fmt::to_string(fence), "PX", "60000"}},
              std::move(done));
}

// With what its file has, so that an agent that is started later knows it.
loop::Handle RedisServers::close(const StandbyMember& server, const Closing& closing, Done done) {
  return tell(server, closing_commands(closing), std::move(done));
}

loop::Handle RedisServers::follow(const StandbyMember& server, const StandbyMember& primary,
                                  std::optional<Closing> closing, Done done) {
  Commands commands;
  if (closing) commands = closing_commands(*closing);
  commands.push_back({"REPLICAOF", primary.host, std::to_string(primary.port)});
  return tell(server, commands, std::move(done));
}

}  // namespace recover
