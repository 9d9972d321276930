#include "recover/standby/mariadb_server.h"

#include <fmt/format.h>

#include <optional>
#include <string_view>
#include <utility>

#include "base/credential.h"
#include "base/number.h"
#include "base/secret.h"
#include "base/text.h"

namespace recover {

using namespace std::chrono_literals;

namespace {

using encoding::MysqlSession;
using Answer = MariadbReply::Answer;

constexpr std::size_t kShown = 200;
constexpr std::chrono::seconds kReplayWithin{5};  // of what a replica has received
constexpr const char* kLock = "'fettle.standby'";

// A string of SQL, as it is read without NO_BACKSLASH_ESCAPES.
std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

class Exchange final : public loop::Registration {
 public:
  using Next = std::function<base::Result<std::string>(const std::vector<Answer>&)>;

  Exchange(loop::Scheduler& scheduler, net::Dialer& dialer, const StandbyMember& server, const StandbyLogin& login,
           base::Duration limit, Next next, std::function<void(MariadbReply)> done)
      : session_({login.username, login.database,
                  [login] { return base::credential(login.password, login.password_file); }, login.tls != nullptr,
                  login.tls != nullptr}),
        tls_(login.tls),
        host_(server.host),
        next_(std::move(next)),
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
  }

  void begin_tls() {
    const std::string unread = std::exchange(in_, "");
    stream_->start_tls(tls_, host_, unread, [this](const net::StreamFailure* failure) {
      if (failure != nullptr) return fail(failure->text);
      stream_->write(session_.log_in(), nullptr);
    });
  }

  void received(std::string_view bytes, const net::StreamFailure* failure) {
    using Kind = MysqlSession::Event::Kind;
    if (failure != nullptr) return fail(failure->text);
    if (bytes.empty()) {
      const auto why = session_.given_up();
      return fail(why ? "it " + why->text : "it closed the connection");
    }
    in_ += bytes;
    while (true) {
      MysqlSession::Event event = session_.hear(in_);
      switch (event.kind) {
        case Kind::more: return;
        case Kind::heard: break;
        case Kind::send: stream_->write(std::move(event.text), nullptr); break;
        case Kind::secure: stream_->write(std::move(event.text), nullptr); return begin_tls();
        case Kind::failed: return fail("it " + base::foreign_text(event.text, kShown));
        case Kind::error:
        case Kind::ready:
          if (asked_) {
            reply_.answers.push_back({session_.take_answer(), {}});
            if (event.kind == Kind::error) reply_.answers.back().error = base::foreign_text(event.text, kShown);
          }
          if (!go_on()) return;
      }
    }
  }

  // No: this object is destroyed.
  bool go_on() {
    asked_ = true;
    auto statement = next_(reply_.answers);
    if (!statement) return fail(statement.error().text), false;
    if (statement->empty()) return leave(), false;
    stream_->write(session_.query(*statement), nullptr);
    return true;
  }

  // The server would note down a client that is gone without a word.
  void leave() {
    stream_->write(MysqlSession::goodbye(), [this](const net::StreamFailure*) { end(); });
  }

  void fail(std::string why) {
    reply_.trouble = std::move(why);
    end();
  }

  // May destroy this object. Where it is kept, nothing of the connection comes any more.
  void end() {
    reply_.version = session_.version();
    stream_.reset();
    const auto done = std::move(done_);
    done(std::move(reply_));
  }

  MysqlSession session_;
  std::shared_ptr<net::TlsContext> tls_;
  std::string host_;
  Next next_;
  bool asked_ = false;
  std::function<void(MariadbReply)> done_;
  std::string in_;
  MariadbReply reply_;
  loop::Handle pending_;
  std::unique_ptr<net::Stream> stream_;
};

}  // namespace

loop::Handle MariadbServers::ask(const StandbyMember& server, base::Duration limit, Next next,
                                 std::function<void(MariadbReply)> done) {
  return loop::Handle(
      std::make_unique<Exchange>(scheduler_, dialer_, server, spec_->login, limit, std::move(next), std::move(done)));
}

// Each step sees the answer to the one before it last. A statement that waits ends by itself, before its session is
// given up: what is begun again would else wait beside it.
loop::Handle MariadbServers::tell(const StandbyMember& server, base::Duration limit, std::vector<Next> steps,
                                  Done done) {
  const double most = std::chrono::duration<double>(limit).count() - 0.2;
  const auto next = [steps = std::move(steps), most,
                     at = std::size_t{0}](const Answers& answers) mutable -> base::Result<std::string> {
    if (answers.empty())
      return fmt::format("SET SESSION sql_mode = '', lock_wait_timeout = {}, max_statement_time = {}",
                         static_cast<int>(most) + 1, most);
    while (at < steps.size()) {
      auto statement = steps[at++](answers);
      if (!statement || !statement->empty()) return statement;
    }
    return std::string();
  };
  return ask(server, limit, next, [done = std::move(done)](const MariadbReply& reply) { done(reply.trouble); });
}

loop::Handle MariadbServers::look(const StandbyMember& server, std::function<void(const ServerLook&)> done) {
  const auto next = [all = mariadb_look_statements()](const Answers& answers) -> base::Result<std::string> {
    return answers.size() < all.size() ? all[answers.size()] : std::string();
  };
  return ask(server, kLimit, next,
             [done = std::move(done)](const MariadbReply& reply) { done(read_mariadb_look(reply)); });
}

namespace {

using Next = std::function<base::Result<std::string>(const std::vector<Answer>&)>;

base::Result<void> well(const std::vector<Answer>& answers) {
  if (answers.empty() || answers.back().error.empty()) return {};
  return base::fail(base::Kind::unavailable, "it answered with " + answers.back().error);
}

// After the step before it went well.
Next then(std::string statement) {
  return [statement = std::move(statement)](const std::vector<Answer>& answers) -> base::Result<std::string> {
    TRY_VOID(well(answers));
    return statement;
  };
}

std::string value_of(const std::vector<Answer>& answers) {
  const auto& rows = answers.back().rows;
  return rows.empty() || rows[0].empty() ? "" : rows[0][0].value_or("");
}

Next wants(const char* value, const char* otherwise) {
  return [value, otherwise](const std::vector<Answer>& answers) -> base::Result<std::string> {
    TRY_VOID(well(answers));
    if (value_of(answers) != value) return base::fail(base::Kind::unavailable, otherwise);
    return std::string();
  };
}

// Nobody can open the server any more until this session ends: who has the lock is ended, and has said its last.
void add_closing(std::vector<Next>& steps) {
  steps.push_back(then(fmt::format("SELECT IS_USED_LOCK({})", kLock)));
  steps.push_back([](const std::vector<Answer>& answers) -> base::Result<std::string> {
    TRY_VOID(well(answers));
    const auto holder = base::read_number<std::uint64_t>(value_of(answers));
    return holder ? fmt::format("KILL {}", *holder) : std::string();
  });
  // It may have ended before that.
  steps.push_back([](const std::vector<Answer>&) -> base::Result<std::string> {
    return fmt::format("SELECT GET_LOCK({}, 0.4)", kLock);
  });
  steps.push_back(wants("1", "another session may open it"));
  steps.push_back(then("SET GLOBAL read_only = 1"));
}

}  // namespace

// All that has come is replayed first, since it goes with the replication. A primary that is closed and alive may have
// sent its last words just now.
loop::Handle MariadbServers::promote(const StandbyMember& server, Done done) {
  std::vector<Next> steps{then(kMariadbReplication)};
  steps.push_back([](const Answers& answers) -> base::Result<std::string> {
    TRY_VOID(well(answers));
    return std::string(mariadb_field(answers.back(), "Slave_IO_Running") == "Yes" ? "DO SLEEP(0.5)" : "");
  });
  steps.push_back(then("STOP SLAVE IO_THREAD"));
  steps.push_back(then(kMariadbReplication));
  steps.push_back([](const Answers& answers) -> base::Result<std::string> {
    TRY_VOID(well(answers));
    const std::string received = mariadb_field(answers.back(), "Gtid_IO_Pos");
    return fmt::format("SELECT MASTER_GTID_WAIT({}, {})", quoted(received), kReplayWithin.count());
  });
  steps.push_back(wants("0", "it has not replayed all that it has received"));
  steps.push_back(then("STOP SLAVE"));
  steps.push_back(then("RESET SLAVE ALL"));
  steps.push_back(then(""));
  return tell(server, kReplayWithin + 2 * kLimit, std::move(steps), std::move(done));
}

// The row is there with the write: this process was opened by an agent.
loop::Handle MariadbServers::open(const StandbyMember& server, std::uint64_t fence, Done done) {
  std::vector<Next> steps{then(fmt::format("SELECT GET_LOCK({}, 0)", kLock)), wants("1", "another session opens it"),
                          then("SET GLOBAL read_only = 0"),
                          then("SELECT @@global.server_id, UNIX_TIMESTAMP() - variable_value FROM "
                               "information_schema.global_status WHERE variable_name = 'UPTIME'")};
  steps.push_back([service = spec_->service, fence](const Answers& answers) -> base::Result<std::string> {
    TRY_VOID(well(answers));
    const auto& rows = answers.back().rows;
    if (rows.size() != 1 || rows[0].size() != 2)
      return base::fail(base::Kind::protocol, "it does not tell when it was started");
    // As they are: what is written is the same on every replica, whatever binlog_format is.
    return fmt::format("REPLACE INTO fettle.standby (service, server_id, started, fence) VALUES ({}, {}, {}, {})",
                       quoted(service), quoted(rows[0][0].value_or("")), quoted(rows[0][1].value_or("")), fence);
  });
  steps.push_back(then(""));
  return tell(server, kLimit, std::move(steps), std::move(done));
}

loop::Handle MariadbServers::close(const StandbyMember& server, const Closing&, Done done) {
  std::vector<Next> steps;
  add_closing(steps);
  steps.push_back(then(""));
  return tell(server, kLimit, std::move(steps), std::move(done));
}

// It goes on from what it has written itself, or has replayed.
std::vector<MariadbServers::Next> MariadbServers::replicate(const StandbyMember& primary, bool start) const {
  std::vector<Next> steps;
  add_closing(steps);
  steps.push_back(then("STOP SLAVE"));
  steps.push_back(then("SET GLOBAL gtid_slave_pos = @@global.gtid_current_pos"));
  const StandbyLogin& login = spec_->login;
  steps.push_back([login, primary](const Answers& answers) -> base::Result<std::string> {
    TRY_VOID(well(answers));
    TRY(const std::string password, base::credential(login.password, login.password_file));
    return fmt::format(
        "CHANGE MASTER TO MASTER_HOST = {}, MASTER_PORT = {}, MASTER_USER = {}, MASTER_PASSWORD = {}, "
        "MASTER_CONNECT_RETRY = 1, MASTER_SSL = {}, MASTER_USE_GTID = slave_pos",
        quoted(primary.host), primary.port, quoted(login.username), quoted(password), login.tls ? 1 : 0);
  });
  // A server that does not take the statement may repeat a part of it.
  steps.push_back([login](const Answers& answers) -> base::Result<std::string> {
    auto trouble = well(answers);
    if (trouble) return std::string();
    base::KnownSecrets secrets;
    secrets.add(base::credential(login.password, login.password_file).value_or(""));
    return base::fail(trouble.error().kind, secrets.blotted(trouble.error().text));
  });
  if (start) steps.push_back(then("START SLAVE"));
  steps.push_back(then(""));
  return steps;
}

loop::Handle MariadbServers::follow(const StandbyMember& server, const StandbyMember& primary, std::optional<Closing>,
                                    Done done) {
  return tell(server, 5 * kLimit, replicate(primary, true), std::move(done));
}

// The primary is none yet, and may not have what this one would ask it for.
loop::Handle MariadbServers::demote(const StandbyMember& server, const StandbyMember& primary, std::optional<Closing>,
                                    Done done) {
  return tell(server, 5 * kLimit, replicate(primary, false), std::move(done));
}

}  // namespace recover
