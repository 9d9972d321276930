#include "recover/drill/throwaway_postgres.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/ascii.h"
#include "base/file.h"
#include "base/number.h"
#include "base/text.h"
#include "loop/scheduler.h"

namespace recover {
namespace {

using namespace std::chrono_literals;

constexpr auto kReadyAgain = 200ms;
constexpr base::Millis kStopLimit{30'000};
constexpr std::size_t kShown = 200;
// The last commit that was replayed, empty without any; text, so that it stands in one column with numbers.
constexpr const char* kLastReplayed = "SELECT extract(epoch FROM pg_last_xact_replay_timestamp())";

std::string without_semicolon(const std::string& query) { return std::string(base::trim(query, " \t\r\n;")); }

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  for (std::string_view rest = text; !rest.empty();) out.emplace_back(base::trim(base::take_line(rest), " \t\r"));
  return out;
}

}  // namespace

std::string row_complaint(const std::string& query, const std::string& restored, const std::string* live,
                          double tolerance) {
  const std::string what = base::foreign_text(query, kShown);
  const auto got = base::read_number<double>(restored);
  if (!got || !std::isfinite(*got))
    return fmt::format("{} gave no number in what was restored, but '{}'", what, base::foreign_text(restored, kShown));
  if (live == nullptr) return *got > 0 ? "" : fmt::format("{} gave {} in what was restored", what, restored);
  const auto wanted = base::read_number<double>(*live);
  if (!wanted || !std::isfinite(*wanted))
    return fmt::format("{} gave no number on the live server, but '{}'", what, base::foreign_text(*live, kShown));
  if (std::abs(*got - *wanted) <= tolerance * std::abs(*wanted)) return "";
  return fmt::format("{} gave {} in what was restored and {} on the live server; the tolerance is {:g}%", what,
                     restored, *live, tolerance * 100);
}

ThrowawayPostgres::ThrowawayPostgres(DrillContext context, Scratch scratch, PostgresCheck check,
                                     std::map<std::string, std::string> environment, base::Instant deadline,
                                     std::function<void(std::string)> doing, Done done)
    : context_(context),
      scratch_(std::move(scratch)),
      check_(std::move(check)),
      environment_(std::move(environment)),
      deadline_(deadline),
      doing_(std::move(doing)),
      done_(std::move(done)) {
  cluster_ = check_.dump.empty() ? scratch_.data() + (check_.data.empty() ? "" : "/" + check_.data)
                                 : scratch_.run() + "/cluster";
  // What the tool needs is no secret of the server's, and its time zone is that of the numbers.
  environment_["PGTZ"] = "UTC";
  environment_["PGCONNECT_TIMEOUT"] = "10";
  find_programs();
}

void ThrowawayPostgres::find_programs() {
  if (!check_.bin_dir.empty()) {
    bin_ = check_.bin_dir;
    work_ = context_.scheduler.after({}, [this] { make_cluster(); });
    return;
  }
  const auto found = std::make_shared<base::Result<std::string>>(std::string());
  work_ = context_.blocking_pool.run(
      {"drill", cluster_},
      [found, cluster = check_.dump.empty() ? cluster_ : std::string()] { *found = postgres_programs(cluster); },
      [this, found](const base::Result<>& ran) {
        if (!ran) return fail(ran.error().text);
        if (!*found) return fail(found->error().text);
        bin_ = **found;
        make_cluster();
      });
}

void ThrowawayPostgres::make_cluster() {
  if (check_.dump.empty()) return prepare();
  doing_("making an empty PostgreSQL");
  run({bin_ + "/initdb", "--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8",
       "--username=" + check_.user, "--pgdata=" + cluster_},
      [this](const Finished& finished) {
        const std::string why = failure_of("initdb", finished);
        if (why.empty()) prepare();
        else fail(why);
      });
}

void ThrowawayPostgres::prepare() {
  const auto ready = std::make_shared<base::Result<>>();
  work_ = context_.blocking_pool.run(
      {"drill", cluster_},
      [ready, scratch = scratch_, cluster = cluster_] { *ready = prepare_cluster(scratch, cluster); },
      [this, ready](const base::Result<>& ran) {
        if (!ran) return fail(ran.error().text);
        if (!*ready) return fail(ready->error().text);
        start();
      });
}

void ThrowawayPostgres::start() {
  doing_("waiting for the throw-away PostgreSQL");
  std::vector<std::string> argv{bin_ + "/postgres", "-D", cluster_};
  // Debian keeps the configuration elsewhere; what ALTER SYSTEM wrote was restored, and counts less than these.
  for (const std::string& setting : {"config_file=" + scratch_.run() + "/postgresql.conf",
                                     "hba_file=" + scratch_.run() + "/pg_hba.conf",
                                     std::string("ident_file=/dev/null"),
                                     "unix_socket_directories=" + scratch_.run(),
                                     std::string("listen_addresses="),
                                     std::string("port=5432"),
                                     std::string("ssl=off"),
                                     std::string("archive_mode=off"),
                                     std::string("primary_conninfo="),
                                     std::string("hot_standby=off"),
                                     std::string("shared_buffers=16MB"),
                                     std::string("max_connections=20"),
                                     std::string("huge_pages=off"),
                                     std::string("dynamic_shared_memory_type=mmap"),
                                     std::string("fsync=off"),
                                     std::string("full_page_writes=off"),
                                     std::string("autovacuum=off"),
                                     std::string("logging_collector=off"),
                                     std::string("log_destination=stderr"),
                                     std::string("external_pid_file="),
                                     std::string("restart_after_crash=off")})
    argv.insert(argv.end(), {"-c", setting});
  server_runs_ = true;
  server_ = context_.spawner.spawn(command(std::move(argv)), [this](const Finished& finished) {
    server_runs_ = false;
    if (stopped_) return std::exchange(stopped_, nullptr)();
    const std::string why = failure_of("postgres", finished);
    fail("the throw-away PostgreSQL ended" + (why.empty() ? "" : ": " + why));
  });
  ask_whether_ready();
}

void ThrowawayPostgres::ask_whether_ready() {
  run(psql(own("template1"), {"SELECT 1"}), [this](const Finished& finished) {
    if (failure_of("psql", finished).empty()) return load_dump();
    again_ = context_.scheduler.after(kReadyAgain, [this] { ask_whether_ready(); });
  });
}

void ThrowawayPostgres::load_dump() {
  if (check_.dump.empty()) return ready();
  doing_("loading " + check_.dump);
  const std::string file = scratch_.data() + "/" + check_.dump;
  const std::string make = fmt::format("CREATE DATABASE \"{}\"", check_.database);
  const auto load = [this, file] {
    // pg_restore reads what pg_dump wrote with -Fc or -Ft, and says of a plain dump that it is for psql.
    run({bin_ + "/pg_restore", "--no-owner", "--no-privileges", "--exit-on-error", "--dbname=" + own(check_.database),
         file},
        [this, file](const Finished& finished) {
          const std::string why = failure_of("pg_restore", finished);
          if (why.empty()) return ready();
          if (why.find("text format dump") == std::string::npos) return fail(why);
          std::vector<std::string> words = psql(own(check_.database), {});
          words.insert(words.end(), {"-o", "/dev/null", "-f", file});
          run(std::move(words), [this](const Finished& loaded) {
            const std::string wrong = failure_of("psql", loaded);
            if (wrong.empty()) ready();
            else fail(wrong);
          });
        });
  };
  if (check_.database == "postgres") return load();
  run(psql(own("template1"), {make}), [this, load](const Finished& finished) {
    const std::string why = failure_of("psql", finished);
    if (why.empty()) load();
    else fail(why);
  });
}

void ThrowawayPostgres::ready() {
  rows_.usable_at = context_.scheduler.now();
  doing_("asking the throw-away PostgreSQL");
  std::vector<std::string> queries = check_.queries;
  queries.push_back(check_.newest.empty()
                        ? kLastReplayed
                        : fmt::format("SELECT extract(epoch FROM ({}))", without_semicolon(check_.newest)));
  run(psql(own(check_.database), queries), [this, count = queries.size()](const Finished& finished) {
    if (const std::string why = failure_of("psql", finished); !why.empty())
      return fail("what was restored does not answer: " + why);
    std::vector<std::string> lines = lines_of(finished->out);
    if (lines.size() != count)
      return fail(fmt::format("what was restored gave {} lines for {} queries of one number", lines.size(), count));
    if (const auto newest = base::read_number<double>(lines.back()); newest && *newest > 0 && *newest < 1e11)
      rows_.newest = base::wall_from_ms(static_cast<std::int64_t>(*newest * 1000));
    else if (!check_.newest.empty())
      return fail(
          fmt::format("newest gave no time in what was restored, but '{}'", base::foreign_text(lines.back(), kShown)));
    lines.pop_back();
    ask_live(std::move(lines));
  });
}

void ThrowawayPostgres::ask_live(std::vector<std::string> restored) {
  if (check_.live.empty()) return judge(restored, {});
  doing_("asking the live server");
  run(psql(check_.live, check_.queries), [this, restored = std::move(restored)](const Finished& finished) {
    if (const std::string why = failure_of("psql", finished); !why.empty())
      return fail("the live server, to compare with, does not answer: " + why);
    const std::vector<std::string> live = lines_of(finished->out);
    if (live.size() != restored.size())
      return fail(
          fmt::format("the live server gave {} lines for {} queries of one number", live.size(), restored.size()));
    judge(restored, live);
  });
}

void ThrowawayPostgres::judge(const std::vector<std::string>& restored, const std::vector<std::string>& live) {
  for (std::size_t i = 0; i < restored.size() && rows_.complaint.empty(); ++i)
    rows_.complaint =
        row_complaint(check_.queries[i], restored[i], live.empty() ? nullptr : &live[i], check_.tolerance);
  end(rows_);
}

void ThrowawayPostgres::fail(std::string why) { end(base::fail(base::Kind::invalid, std::move(why))); }

void ThrowawayPostgres::end(base::Result<PostgresRows> rows) {
  again_.reset();
  if (const auto done = std::exchange(done_, nullptr)) done(std::move(rows));
}

void ThrowawayPostgres::stop(std::function<void()> stopped) {
  done_ = nullptr;
  again_.reset();
  work_.reset();
  if (!server_runs_) {
    work_ = context_.scheduler.after({}, std::move(stopped));
    return;
  }
  // At once, as after a crash: nothing of it is needed, but it removes its shared memory. Its end calls `stopped_`.
  stopped_ = std::move(stopped);
  os::Command stop = command({bin_ + "/pg_ctl", "stop", "-m", "immediate", "-w", "-t", "20", "-D", cluster_});
  stop.limit = kStopLimit;
  work_ = context_.spawner.spawn(std::move(stop), [this](const Finished& finished) {
    if (!stopped_ || failure_of("pg_ctl", finished).empty()) return;
    server_.reset();  // it does not hear; the kernel ends it
    server_runs_ = false;
    std::exchange(stopped_, nullptr)();
  });
}

os::Command ThrowawayPostgres::command(std::vector<std::string> argv) const {
  return drill_command(context_, scratch_, deadline_, environment_, std::move(argv));
}

void ThrowawayPostgres::run(std::vector<std::string> argv, std::function<void(const Finished&)> done) {
  work_ = context_.spawner.spawn(command(std::move(argv)), std::move(done));
}

std::string ThrowawayPostgres::own(const std::string& database) const {
  const auto quoted = [](const std::string& text) {
    std::string out = "'";
    for (const char c : text) {
      if (c == '\'' || c == '\\') out += '\\';
      out += c;
    }
    return out + "'";
  };
  return fmt::format("host={} port=5432 user={} dbname={}", quoted(scratch_.run()), quoted(check_.user),
                     quoted(database));
}

std::vector<std::string> ThrowawayPostgres::psql(const std::string& connection,
                                                 const std::vector<std::string>& queries) const {
  std::vector<std::string> out{bin_ + "/psql", "-X", "-A", "-t", "-q", "-w", "-v", "ON_ERROR_STOP=1", "-d", connection};
  for (const std::string& query : queries) out.insert(out.end(), {"-c", query});
  return out;
}

}  // namespace recover
