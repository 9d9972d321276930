#include "os/subprocess.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/log.h"
#include "base/unique_fd.h"
#include "loop/event_loop.h"
#include "os/adopted_processes.h"
#include "os/capped_output.h"
#include "os/process_table.h"
#include "os/spawn_child.h"

namespace os {
namespace {

using namespace std::chrono_literals;

constexpr std::array kPath{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"};
// How long killed processes may take to vanish before `done` comes without them (sleeping in the kernel on a dead
// disk, say).
constexpr auto kVanishLimit = 5s;
// Per turn and pipe: a program that only shouts must not keep the loop from its other work.
constexpr std::size_t kBytesPerTurn = 256 * 1024;

base::Result<std::string> find_program(const std::string& name) {
  if (name.empty()) return base::fail(base::Kind::invalid, "cannot start a program without a name");
  if (name.front() == '/') return name;
  if (name.find('/') != std::string::npos)
    return base::fail(base::Kind::invalid,
                      fmt::format("cannot start {}: write an absolute path or a name without slashes", name));
  for (const char* folder : kPath) {
    std::string path = fmt::format("{}/{}", folder, name);
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return base::fail(base::Kind::not_found,
                    fmt::format("cannot start {}: not found in {}", name, fmt::join(kPath, ":")));
}

struct Pipe {
  base::UniqueFd read, write;
};

base::Result<Pipe> make_pipe() {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) return base::fail_errno(errno, "cannot make a pipe");
  return Pipe{base::UniqueFd(fds[0]), base::UniqueFd(fds[1])};
}

void set_nonblocking(const base::UniqueFd& fd) { ::fcntl(fd.value(), F_SETFL, O_NONBLOCK); }

constexpr auto kReapEvery = std::chrono::seconds(1);  // a zombie of a kept process is in nobody's way for so long

using Identity = std::pair<pid_t, std::uint64_t>;

}  // namespace

// One program from its start until nothing of its tree is left.
class Program {
 public:
  using Done = std::function<void(base::Result<Finished>)>;
  Program(Subprocesses::Pool& pool, std::uint64_t number, Command command, Done done);
  base::Result<> start();
  void abandon();    // kills; `done` will not come
  void kill_last();  // the same for the end of the agent: waits a moment, the loop turns no more

  pid_t pid() const { return pid_; }
  std::uint64_t start_ticks() const { return start_ticks_; }
  bool saw(const ProcessStat& process) const { return seen_.contains({process.pid, process.start_ticks}); }

 private:
  struct Output {
    explicit Output(std::size_t limit) : kept(limit) {}
    base::UniqueFd fd;
    loop::Handle watch;
    CappedOutput kept;
  };
  void write_input();
  void read_output(Output& output, std::size_t most);
  void on_limit();
  void on_exit();
  void kill_leader() const;
  bool sweep();
  void wait_for_tree(base::Instant until, base::Duration pause);
  void finish();

  Subprocesses::Pool& pool_;
  std::uint64_t number_;
  Command command_;
  Done done_;
  pid_t pid_ = -1;
  std::uint64_t start_ticks_ = 0;
  base::Instant started_{};
  base::UniqueFd pidfd_, input_;
  std::size_t written_ = 0;
  Output out_, err_;
  loop::Handle exit_watch_, input_watch_, timer_;
  std::set<Identity> seen_;    // of its tree, in any walk
  std::set<Identity> killed_;  // of these
  Finished finished_;
};

struct Subprocesses::Pool {
  explicit Pool(loop::EventLoop& l) : loop(l) {}

  // All that belongs to the program beside its leader: what descends from it, what is in its session or group, and
  // orphans that this process adopted and that can be nobody else's.
  std::vector<ProcessStat> tree_of(const Program& program) const;
  bool adopted(const ProcessStat& process) const {
    return process.parent == self && process.session != session && !leads(process.pid) && !kept.contains(process);
  }
  // Whatever may be the program's is left running: better one process too many than another program's end for it.
  void keep_tree(const Program& program);
  // Of a tree that has been killed and is not gone yet: reaped when it is.
  void reap_later(const Program& program);
  void reap_kept();
  bool leads(pid_t pid) const {
    for (const auto& [number, program] : programs)
      if (program->pid() == pid) return true;
    return false;
  }
  bool may_have_orphans() const;

  loop::EventLoop& loop;
  const pid_t self = ::getpid();
  const pid_t session = ::getsid(0);
  std::uint64_t next_number = 0;
  AdoptedProcesses kept;
  loop::Handle reap_timer;
  std::unordered_map<std::uint64_t, std::unique_ptr<Program>> programs;
};

std::vector<ProcessStat> Subprocesses::Pool::tree_of(const Program& program) const {
  const auto orphan_of = [&](const ProcessStat& process) {
    if (!adopted(process) || process.start_ticks < program.start_ticks()) return false;
    if (program.saw(process)) return true;
    // An orphan in a session of its own that nobody has seen: left to the last program that may have started it.
    for (const auto& [number, other] : programs)
      if (other.get() != &program &&
          (other->saw(process) || process.session == other->pid() || other->start_ticks() <= process.start_ticks))
        return false;
    return true;
  };
  std::vector<ProcessStat> rest = all_processes(), tree;
  std::set<pid_t> members{program.pid()};
  // Until a round finds no more: /proc is in no order that parents would come first in.
  for (bool grew = true; grew;) {
    grew = false;
    std::erase_if(rest, [&](ProcessStat& process) {
      const bool mine =
          process.pid != program.pid() && (members.contains(process.parent) || process.session == program.pid() ||
                                           process.group == program.pid() || orphan_of(process));
      if (!mine) return false;
      members.insert(process.pid);
      tree.push_back(std::move(process));
      return grew = true;
    });
  }
  return tree;
}

bool Subprocesses::Pool::may_have_orphans() const {
  const auto children = own_children();
  if (!children) return true;
  for (const pid_t pid : *children) {
    if (leads(pid)) continue;
    const auto stat = read_process_stat(pid);
    if (stat && adopted(*stat)) return true;
  }
  return false;
}

void Subprocesses::Pool::keep_tree(const Program& program) {
  for (const ProcessStat& process : all_processes()) {
    const bool nobody_elses = std::none_of(programs.begin(), programs.end(), [&](const auto& other) {
      return other.second.get() != &program && (other.second->saw(process) || process.session == other.second->pid());
    });
    const bool left =
        process.session == program.pid() || (adopted(process) && process.start_ticks >= program.start_ticks());
    if (process.pid != program.pid() && left && nobody_elses) kept.add(process);
  }
  // Not at once: the leader is in their session, and its status is still to be read.
  if (!kept.empty()) reap_timer = loop.after(kReapEvery, [this] { reap_kept(); });
}

void Subprocesses::Pool::reap_later(const Program& program) {
  for (const ProcessStat& process : tree_of(program)) kept.add(process);
  if (!kept.empty()) reap_timer = loop.after(kReapEvery, [this] { reap_kept(); });
}

void Subprocesses::Pool::reap_kept() {
  kept.reap();
  if (!kept.empty()) reap_timer = loop.after(kReapEvery, [this] { reap_kept(); });
}

Program::Program(Subprocesses::Pool& pool, std::uint64_t number, Command command, Done done)
    : pool_(pool),
      number_(number),
      command_(std::move(command)),
      done_(std::move(done)),
      out_(command_.output_limit),
      err_(command_.output_limit) {}

base::Result<> Program::start() {
  if (command_.argv.empty()) return base::fail(base::Kind::invalid, "cannot start a program without a name");
  TRY(const std::string path, find_program(command_.argv.front()));
  TRY(Pipe out, make_pipe());
  TRY(Pipe err, make_pipe());
  Pipe in;
  if (command_.input.empty()) {
    in.read.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!in.read) return base::fail_errno(errno, "cannot open /dev/null");
  } else {
    TRY(in, make_pipe());
  }
  started_ = pool_.loop.now();
  const ChildStart start{path,
                         command_.argv,
                         command_.environment,
                         command_.directory,
                         in.read.value(),
                         out.write.value(),
                         err.write.value(),
                         command_.limits,
                         command_.priority};
  if (const int code = spawn_child(start, pid_); code != 0)
    return base::fail_errno(code, fmt::format("cannot start {} in {}", path, command_.directory));

  // Not reaped before finish(), so that neither the pid nor the group can become somebody else's.
  pidfd_ = open_pidfd(pid_);
  if (const auto stat = read_process_stat(pid_)) start_ticks_ = stat->start_ticks;
  if (!pidfd_) {
    const int code = errno;
    ::kill(-pid_, SIGKILL);
    ::waitid(P_PID, static_cast<id_t>(pid_), nullptr, WEXITED);
    return base::fail_errno(code, fmt::format("cannot watch {}, which was killed", path));
  }
  exit_watch_ = pool_.loop.watch(pidfd_.value(), {.read = true}, [this](loop::Ready) { on_exit(); });
  for (auto [output, pipe] : {std::pair{&out_, &out}, std::pair{&err_, &err}}) {
    output->fd = std::move(pipe->read);
    set_nonblocking(output->fd);
    output->watch = pool_.loop.watch(output->fd.value(), {.read = true},
                                     [this, output = output](loop::Ready) { read_output(*output, kBytesPerTurn); });
  }
  if (in.write) {
    input_ = std::move(in.write);
    set_nonblocking(input_);
    input_watch_ = pool_.loop.watch(input_.value(), {.write = true}, [this](loop::Ready) { write_input(); });
  }
  timer_ = pool_.loop.at(started_ + command_.limit, [this] { on_limit(); });
  return {};
}

void Program::write_input() {
  const std::string_view left = std::string_view(command_.input).substr(written_);
  const ssize_t n = ::write(input_.value(), left.data(), left.size());
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  // EPIPE: it does not want to know; that is its own business.
  if (n > 0) written_ += static_cast<std::size_t>(n);
  if (n < 0 || written_ == command_.input.size()) {
    input_watch_.reset();
    input_.reset();
  }
}

void Program::read_output(Output& output, std::size_t most) {
  std::array<char, 32768> buffer;
  for (std::size_t got = 0; got < most && output.fd;) {
    const ssize_t n = ::read(output.fd.value(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
      output.watch.reset();
      output.fd.reset();
      return;
    }
    output.kept.append({buffer.data(), static_cast<std::size_t>(n)});
    got += static_cast<std::size_t>(n);
  }
}

void Program::on_limit() {
  finished_.timed_out = true;
  // Who is in the tree now is remembered: what loses its parents in the meantime is still known as this program's.
  for (const ProcessStat& process : pool_.tree_of(*this)) seen_.insert({process.pid, process.start_ticks});
  ::kill(-pid_, SIGTERM);
  timer_ = pool_.loop.after(command_.grace, [this] {
    kill_leader();
    sweep();
  });
}

void Program::kill_leader() const { ::kill(pid_, SIGKILL); }

// Kills what is left beside the leader, again until a walk finds nobody new; true if nobody is left alive.
bool Program::sweep() {
  for (;;) {
    bool alive = false, found_new = false;
    for (const ProcessStat& process : pool_.tree_of(*this)) {
      const Identity who{process.pid, process.start_ticks};
      seen_.insert(who);
      if (process.ended()) {
        if (process.parent == pool_.self) ::waitid(P_PID, static_cast<id_t>(process.pid), nullptr, WEXITED | WNOHANG);
        continue;
      }
      alive = true;
      found_new |= killed_.insert(who).second;
      signal_process(process.pid, process.start_ticks, SIGKILL);
    }
    if (!found_new) return !alive;
  }
}

void Program::on_exit() {
  finished_.took = pool_.loop.now() - started_;
  exit_watch_.reset();
  input_watch_.reset();
  input_.reset();
  timer_.reset();
  if (command_.leftovers == Leftovers::kept && !finished_.timed_out) {
    pool_.keep_tree(*this);
    return finish();
  }
  if (pool_.may_have_orphans() && !sweep()) return wait_for_tree(pool_.loop.now() + kVanishLimit, 1ms);
  finish();
}

void Program::wait_for_tree(base::Instant until, base::Duration pause) {
  timer_ = pool_.loop.after(pause, [this, until, pause] {
    if (sweep()) return finish();
    if (pool_.loop.now() < until) return wait_for_tree(until, std::min<base::Duration>(2 * pause, 50ms));
    base::log::warn(
        "killed processes of a program have not ended yet: the node starves, or they sleep in the kernel on a disk or "
        "mount",
        {{"program", command_.argv.front()}, {"processes", std::to_string(killed_.size())}});
    pool_.reap_later(*this);
    finish();
  });
}

// Destroys this object.
void Program::finish() {
  // Whoever still holds the other end has had its time.
  for (Output* output : {&out_, &err_}) {
    read_output(*output, command_.output_limit + kBytesPerTurn);
    output->watch.reset();
    output->fd.reset();
  }
  siginfo_t status{};
  ::waitid(P_PIDFD, static_cast<id_t>(pidfd_.value()), &status, WEXITED | WNOHANG);
  if (status.si_code == CLD_EXITED) finished_.exit_code = status.si_status;
  else finished_.signal = status.si_status;
  finished_.survivors_killed = static_cast<int>(killed_.size());
  finished_.out = out_.kept.text();
  finished_.err = err_.kept.text();
  Done done = std::move(done_);
  Finished finished = std::move(finished_);
  const auto self = pool_.programs.extract(number_);
  if (done) done(std::move(finished));
}

void Program::abandon() {
  done_ = nullptr;
  if (!exit_watch_) return;  // over already, only its tree is waited for
  timer_.reset();
  kill_leader();
  sweep();
}

void Program::kill_last() {
  abandon();
  pollfd ended{.fd = pidfd_.value(), .events = POLLIN, .revents = 0};
  ::poll(&ended, 1, 1000);
  for (int round = 0; round < 100 && !sweep(); ++round) ::poll(nullptr, 0, 1);
  ::waitid(P_PIDFD, static_cast<id_t>(pidfd_.value()), nullptr, WEXITED | WNOHANG);
}

namespace {

class Spawned final : public loop::Registration {
 public:
  Spawned(std::function<void()> abandon) : abandon_(std::move(abandon)) {}
  ~Spawned() override { abandon_(); }

 private:
  std::function<void()> abandon_;
};

}  // namespace

Subprocesses::Subprocesses(loop::EventLoop& loop) : pool_(std::make_shared<Pool>(loop)) {
  ::signal(SIGCHLD, SIG_DFL);  // an inherited SIG_IGN would reap children before anybody has seen how they ended
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
    base::log::warn("cannot become the reaper of orphans; programs that fork twice may survive their limit");
}

Subprocesses::~Subprocesses() {
  for (auto& [number, program] : pool_->programs) program->kill_last();
}

loop::Handle Subprocesses::spawn(Command command, std::function<void(base::Result<Finished>)> done) {
  const std::uint64_t number = pool_->next_number++;
  auto program = std::make_unique<Program>(*pool_, number, std::move(command), done);
  if (auto started = program->start(); !started)
    return pool_->loop.at(pool_->loop.now(), [done = std::move(done), error = std::move(started).error()] {
      done(tl::unexpected<base::Error>(error));
    });
  pool_->programs.emplace(number, std::move(program));
  return loop::Handle(std::make_unique<Spawned>([pool = std::weak_ptr(pool_), number] {
    const auto alive = pool.lock();
    if (!alive) return;
    if (const auto found = alive->programs.find(number); found != alive->programs.end()) found->second->abandon();
  }));
}

}  // namespace os
