#include "os/subprocess.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "fakes/run_until.h"
#include "os/capped_output.h"
#include "os/process_table.h"

using namespace std::chrono_literals;

namespace {

using Outcome = std::optional<base::Result<os::Finished>>;

Outcome run(loop::EventLoop& loop, os::Spawner& spawner, os::Command command) {
  Outcome outcome;
  const auto handle = spawner.spawn(std::move(command), [&](base::Result<os::Finished> finished) {
    REQUIRE_FALSE(outcome.has_value());
    outcome.emplace(std::move(finished));
  });
  CHECK_FALSE(outcome.has_value());
  CHECK(fakes::run_until(loop, [&] { return outcome.has_value(); }));
  return outcome;
}

os::Command shell(std::string script) { return {.argv = {"sh", "-c", std::move(script)}, .environment = {}}; }

// Processes that sleep for a number of seconds that only this test uses, and that are not older than it: a run that was
// killed has left some behind.
int sleepers(const std::string& seconds) {
  const auto self = os::read_process_stat(::getpid());
  int count = 0;
  for (const auto& process : os::all_processes()) {
    if (process.ended() || process.name != "sleep" || process.start_ticks < self->start_ticks) continue;
    std::array<char, 256> line{};
    FILE* file = std::fopen(("/proc/" + std::to_string(process.pid) + "/cmdline").c_str(), "re");
    if (file == nullptr) continue;
    const std::size_t n = std::fread(line.data(), 1, line.size(), file);
    std::fclose(file);
    count += std::string(line.data(), n).find(seconds) != std::string::npos;
  }
  return count;
}

std::size_t open_descriptors() {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

}  // namespace

TEST_CASE("a program's exit code, signal and output come back") {
  struct Row {
    const char* script;
    int code, signal;
    const char *out, *err;
  };
  loop::EventLoop loop;
  os::Subprocesses spawner(loop);
  for (const Row& row : {Row{"exit 0", 0, 0, "", ""}, Row{"echo hi; echo no >&2; exit 3", 3, 0, "hi\n", "no\n"},
                         Row{"kill -9 $$", -1, 9, "", ""}, Row{"kill -TERM $$", -1, 15, "", ""},
                         Row{"pwd; ls /proc/self/fd", 0, 0, "/\n0\n1\n2\n3\n", ""},  // 3 is ls' own view of the folder
                         Row{"cat", 0, 0, "", ""}}) {
    CAPTURE(row.script);
    const auto outcome = run(loop, spawner, shell(row.script));
    REQUIRE(outcome->has_value());
    const os::Finished& finished = **outcome;
    CHECK(finished.exit_code == row.code);
    CHECK(finished.signal == row.signal);
    CHECK(finished.out == row.out);
    CHECK(finished.err == row.err);
    CHECK_FALSE(finished.timed_out);
    CHECK(finished.survivors_killed == 0);
    CHECK(finished.took > 0ms);
  }
}

TEST_CASE("the environment and the folder are exactly what the command says") {
  loop::EventLoop loop;
  os::Subprocesses spawner(loop);
  const auto outcome =
      run(loop, spawner, {.argv = {"env"}, .environment = {{"A", "1"}, {"B", "x y"}}, .directory = "/tmp"});
  REQUIRE(outcome->has_value());
  CHECK((*outcome)->out == "A=1\nB=x y\n");
}

TEST_CASE("standard input is written whole, also when it is larger than a pipe, and when nobody reads it") {
  loop::EventLoop loop;
  os::Subprocesses spawner(loop);
  const std::string large(1'000'000, 'x');
  auto counting = shell("wc -c");
  counting.input = large;
  CHECK((*run(loop, spawner, counting))->out == "1000000\n");
  auto deaf = shell("exit 7");
  deaf.input = large;
  CHECK((*run(loop, spawner, deaf))->exit_code == 7);
}

TEST_CASE("what cannot be started is told in a later turn, with the reason") {
  struct Row {
    std::vector<std::string> argv;
    const char* directory;
    base::Kind kind;
    const char* text;
  };
  loop::EventLoop loop;
  os::Subprocesses spawner(loop);
  for (const Row& row :
       {Row{{"no-such-program"},
            "/",
            base::Kind::not_found,
            "cannot start no-such-program: not found in "
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
        Row{{"/no/such/program"},
            "/",
            base::Kind::not_found,
            "cannot start /no/such/program in /: No such file or directory"},
        Row{{"/bin/true"},
            "/no/such/folder",
            base::Kind::not_found,
            "cannot start /bin/true in /no/such/folder: No such file or directory"},
        Row{{"/etc/passwd"}, "/", base::Kind::permission, "cannot start /etc/passwd in /: Permission denied"},
        Row{{"bin/true"},
            "/",
            base::Kind::invalid,
            "cannot start bin/true: write an absolute path or a name without slashes"},
        Row{{}, "/", base::Kind::invalid, "cannot start a program without a name"}}) {
    CAPTURE(row.text);
    const auto outcome = run(loop, spawner, {.argv = row.argv, .environment = {}, .directory = row.directory});
    REQUIRE_FALSE(outcome->has_value());
    CHECK(outcome->error().text == row.text);
    CHECK(outcome->error().kind == row.kind);
  }
}

TEST_CASE("at the limit the group gets SIGTERM, after the grace the tree gets SIGKILL") {
  loop::EventLoop loop;
  os::Subprocesses spawner(loop);
  SUBCASE("who obeys ends at the limit") {
    auto command = shell("sleep 7101");
    command.limit = 20ms;
    const auto outcome = run(loop, spawner, command);
    CHECK((*outcome)->timed_out);
    CHECK((*outcome)->signal == SIGTERM);
    CHECK((*outcome)->took >= 20ms);
  }
  SUBCASE("who cleans up may say so") {
    auto command = shell("trap 'echo bye; exit 4' TERM; echo up; sleep 7102 & wait");
    command.limit = 100ms;
    const auto outcome = run(loop, spawner, command);
    CHECK((*outcome)->timed_out);
    CHECK((*outcome)->exit_code == 4);
    CHECK((*outcome)->out == "up\nbye\n");
  }
  SUBCASE("who ignores it is killed") {
    auto command = shell("trap '' TERM; sleep 7103; sleep 7103");
    command.limit = 20ms;
    command.grace = 20ms;
    const auto outcome = run(loop, spawner, command);
    CHECK((*outcome)->timed_out);
    CHECK((*outcome)->signal == SIGKILL);
    CHECK((*outcome)->survivors_killed == 1);
    CHECK((*outcome)->took >= 40ms);
  }
  CHECK(sleepers("710") == 0);
}

TEST_CASE("nothing of a program's tree survives it, however it hides") {
  struct Row {
    const char* name;
    const char* script;
    int at_least;
  };
  loop::EventLoop loop;
  os::Subprocesses spawner(loop);
  for (const Row& row : {
           Row{"in the background", "sleep 7201 & exit 0", 1},
           Row{"in the background, holding stdout", "sleep 7202 & echo done; exit 0", 1},
           Row{"own session", "setsid sleep 7203 & echo done; exit 0", 1},
           Row{"double fork", "(setsid sh -c 'sleep 7204 & sleep 7204 & wait' &) ; exit 0", 1},
           Row{"double fork, deaf, no environment, no output",
               "(setsid env -i sh -c 'trap \"\" TERM HUP; (sleep 7205 &) ; sleep 7205' >/dev/null 2>&1 &) ; exit 0", 1},
           Row{"deaf and hung with a deaf daemon",
               "trap '' TERM; (setsid sh -c 'trap \"\" TERM; sleep 7206' &) ; sleep 7206; sleep 7206", 2},
       }) {
    CAPTURE(row.name);
    auto command = shell(row.script);
    command.limit = 200ms;
    command.grace = 50ms;
    const auto outcome = run(loop, spawner, command);
    REQUIRE(outcome->has_value());
    CHECK((*outcome)->survivors_killed >= row.at_least);
    CHECK(sleepers("720") == 0);
    CHECK(os::own_children()->empty());
  }
}

TEST_CASE("what a program leaves running on purpose lives on, is nobody else's, and is reaped when it ends") {
  loop::EventLoop loop;
  os::Subprocesses spawner(loop);
  auto restart = shell("(setsid sh -c 'sleep 7251 & exit 0' >/dev/null 2>&1 &) ; exit 0");
  restart.leftovers = os::Leftovers::kept;
  // A program that began before and ends after the restart must not take the daemon for its own.
  bool other_ended = false;
  auto other = spawner.spawn(shell("sleep 0.3"), [&](auto) { other_ended = true; });
  const auto outcome = run(loop, spawner, restart);
  REQUIRE(outcome->has_value());
  CHECK((*outcome)->exit_code == 0);
  CHECK((*outcome)->survivors_killed == 0);
  REQUIRE(fakes::run_until(loop, [&] { return other_ended && sleepers("7251") == 1; }));
  run(loop, spawner, shell("exit 0"));
  CHECK(sleepers("7251") == 1);
  run(loop, spawner, shell("pkill -f 'sleep 7251'"));
  CHECK(fakes::run_until(loop, [&] { return os::own_children()->empty(); }));
}

TEST_CASE("at the limit nothing is kept") {
  loop::EventLoop loop;
  os::Subprocesses spawner(loop);
  auto hung = shell("(setsid sleep 7261 &) ; sleep 7261");
  hung.leftovers = os::Leftovers::kept;
  hung.limit = 200ms;
  hung.grace = 50ms;
  const auto outcome = run(loop, spawner, hung);
  REQUIRE(outcome->has_value());
  CHECK((*outcome)->timed_out);
  CHECK(sleepers("7261") == 0);
}

TEST_CASE("a child of somebody else in this process is neither killed nor reaped") {
  loop::EventLoop loop;
  os::Subprocesses spawner(loop);
  pid_t other = 0;
  std::string program = "sleep", seconds = "7301";
  std::array<char*, 3> argv{program.data(), seconds.data(), nullptr};
  REQUIRE(::posix_spawnp(&other, "sleep", nullptr, nullptr, argv.data(), environ) == 0);
  run(loop, spawner, shell("setsid sleep 7302 & exit 0"));
  CHECK(::kill(other, SIGKILL) == 0);
  siginfo_t status{};
  CHECK(::waitid(P_PID, static_cast<id_t>(other), &status, WEXITED) == 0);
  CHECK(status.si_status == SIGKILL);
}

TEST_CASE("the orphan of one program is not taken for another's while both run") {
  loop::EventLoop loop;
  os::Subprocesses spawner(loop);
  // The first waits for the word of its daemon, which the second's end must not cost its life.
  int ended = 0;
  std::string out;
  auto first = spawner.spawn(
      shell("(setsid sleep 7401 >/dev/null 2>&1 &) ; sleep 0.2; ps -o pid= -C sleep -o args= | grep -c 7401"),
      [&](base::Result<os::Finished> finished) {
        out = finished->out;
        ++ended;
      });
  auto second =
      spawner.spawn(shell("sleep 0.05; (setsid true &); exit 0"), [&](base::Result<os::Finished>) { ++ended; });
  REQUIRE(fakes::run_until(loop, [&] { return ended == 2; }));
  CHECK(out == "1\n");
  CHECK(sleepers("7401") == 0);
}

TEST_CASE("dropping the Handle kills the tree and silences it, and its remains are reaped") {
  loop::EventLoop loop;
  os::Subprocesses spawner(loop);
  const auto before = open_descriptors();
  bool told = false;
  auto handle = spawner.spawn(shell("setsid sleep 7501 & echo x; sleep 7501"), [&](auto) { told = true; });
  REQUIRE(fakes::run_until(loop, [&] { return sleepers("7501") == 2; }));
  handle.reset();
  CHECK(fakes::run_until(loop, [&] { return os::own_children()->empty(); }));
  CHECK(sleepers("7501") == 0);
  CHECK_FALSE(told);
  CHECK(open_descriptors() == before);
}

TEST_CASE("destroying the spawner kills all that runs") {
  loop::EventLoop loop;
  loop::Handle handle;
  {
    os::Subprocesses spawner(loop);
    handle = spawner.spawn(shell("trap '' TERM; sleep 7601 & sleep 7601"), [](auto) {});
  }
  CHECK(sleepers("7601") == 0);
  CHECK(os::own_children()->empty());
}

TEST_CASE("the Handle may be dropped inside done") {
  loop::EventLoop loop;
  os::Subprocesses spawner(loop);
  loop::Handle handle;
  bool told = false;
  handle = spawner.spawn(shell("exit 0"), [&](auto) {
    handle.reset();
    told = true;
  });
  CHECK(fakes::run_until(loop, [&] { return told; }));
}

TEST_CASE("limits hold for a program from its first instruction, and for what it starts") {
  struct Row {
    const char* name;
    os::Limits limits;
    const char* script;
    int code, signal;
    const char* out;
  };
  const os::Limits files{.open_files = 32}, file{.file_bytes = 512}, memory{.memory_bytes = 1'000'000'000};
  loop::EventLoop loop;
  os::Subprocesses spawner(loop);
  for (const Row& row : {
           Row{"as the agent's own", {}, "ulimit -t; ulimit -f", 0, 0, "unlimited\nunlimited\n"},
           Row{"open files", files, "ulimit -n; sh -c 'ulimit -n'", 0, 0, "32\n32\n"},
           Row{"address space in KiB", memory, "ulimit -v", 0, 0, "976562\n"},
           Row{"size of a file", file, "trap '' XFSZ; head -c 4096 /dev/zero >fettle-limit; stat -c %s fettle-limit", 0,
               0, "512\n"},
           Row{"computing time", {.cpu = 1s}, "while :; do :; done", -1, SIGXCPU, ""},
       }) {
    CAPTURE(row.name);
    auto command = shell(row.script);
    command.limits = row.limits;
    command.directory = std::filesystem::temp_directory_path();
    const auto outcome = run(loop, spawner, command);
    REQUIRE(outcome->has_value());
    CHECK((*outcome)->out == row.out);
    CHECK((*outcome)->exit_code == row.code);
    CHECK((*outcome)->signal == row.signal);
  }
  std::filesystem::remove(std::filesystem::temp_directory_path() / "fettle-limit");
}

TEST_CASE("the limit of processes counts those that the user has already") {
  loop::EventLoop loop;
  os::Subprocesses spawner(loop);
  auto command = shell("sed -n 's/Max processes *\\([0-9]*\\) .*/\\1/p' /proc/self/limits");
  command.limits.processes = 1000;
  const auto outcome = run(loop, spawner, command);
  REQUIRE(outcome->has_value());
  const long limit = std::strtol((*outcome)->out.c_str(), nullptr, 10);
  CHECK(limit > 1000);
  CHECK(limit <= 1000 + 1'000'000);
}

TEST_CASE("a hundred programs that hang, fork twice and are deaf leave nobody behind") {
  loop::EventLoop loop;
  os::Subprocesses spawner(loop);
  int ended = 0;
  std::vector<loop::Handle> handles;
  for (int i = 0; i < 100; ++i) {
    auto command =
        shell("trap '' TERM HUP; (setsid sh -c 'trap \"\" TERM HUP; sleep 7901' &) ; sleep 7901 & sleep 7901");
    command.limit = 500ms;
    command.grace = 100ms;
    handles.push_back(spawner.spawn(
        std::move(command), [&](base::Result<os::Finished> finished) { ended += finished && finished->timed_out; }));
  }
  CHECK(fakes::run_until(
      loop, [&] { return ended == 100; }, 60s));
  // On a node that starves the killed may need longer than anybody waits for them.
  CHECK(fakes::run_until(
      loop, [&] { return sleepers("7901") == 0 && os::own_children()->empty(); }, 60s));
}

TEST_CASE("of long output the head and the tail are kept") {
  loop::EventLoop loop;
  os::Subprocesses spawner(loop);
  auto command = shell("echo begin; yes fill | head -c 3000000; echo end");
  command.output_limit = 64;
  const auto outcome = run(loop, spawner, command);
  const std::string& out = (*outcome)->out;
  CHECK(out.starts_with("begin\nfill\n"));
  CHECK(out.find("\n… 2999946 bytes left out …\n") != std::string::npos);
  CHECK(out.ends_with("fill\nend\n"));
}

TEST_CASE("capped output cuts between characters and keeps what fits") {
  struct Row {
    std::vector<std::string> pieces;
    std::size_t limit;
    const char* want;
  };
  for (const Row& row :
       {Row{{"abc", "def"}, 6, "abcdef"}, Row{{"abcdefg"}, 6, "abc\n… 1 bytes left out …\nefg"},
        Row{{"abc", "def", "ghi"}, 4, "ab\n… 5 bytes left out …\nhi"}, Row{{"aéiouö"}, 4, "a\n… 5 bytes left out …\nö"},
        Row{{""}, 0, ""}, Row{{"x"}, 0, "\n… 1 bytes left out …\n"}}) {
    os::CappedOutput output(row.limit);
    for (const auto& piece : row.pieces) output.append(piece);
    CHECK(output.text() == row.want);
  }
}
