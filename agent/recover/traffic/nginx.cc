#include "recover/traffic/nginx.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <set>
#include <sstream>
#include <utility>

#include "base/edit_distance.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "loop/scheduler.h"
#include "os/subprocess.h"
#include "os/systemd/systemd.h"

namespace recover::traffic {
namespace {

// A service's name as it may stand in a comment.
std::string mark_of(std::string service) {
  std::replace_if(
      service.begin(), service.end(), [](char c) { return c < ' '; }, '_');
  return service;
}

constexpr base::Millis kLook{50};  // at nginx' workers, while they change

std::string previous(const std::string& file) { return file + ".prev"; }
bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

Server* find(std::vector<Server>& servers, const std::string& address) {
  const auto found =
      std::find_if(servers.begin(), servers.end(), [&](const Server& s) { return s.address == address; });
  return found == servers.end() ? nullptr : &*found;
}

// "" if the program ended well.
std::string complaint_of(const std::vector<std::string>& argv, const base::Result<os::Finished>& finished) {
  if (!finished) return fmt::format("{}: {}", argv.front(), finished.error().text);
  if (finished->timed_out) return fmt::format("{}: not ended within its limit", argv.front());
  if (finished->exit_code == 0) return "";
  return fmt::format("{}: exit code {}: {}", argv.front(), finished->exit_code,
                     base::first_line(finished->err.empty() ? finished->out : finished->err, 300));
}

// Whether two files differ in comments at most.
bool same_for_nginx(const std::string& a, const std::string& b) {
  const auto bare = [](const std::string& text) {
    std::string out;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);)
      if (std::string kept = line.substr(0, line.find('#')); kept.find_first_not_of(" \t") != kept.npos)
        out += kept.substr(0, kept.find_last_not_of(" \t") + 1) + "\n";
    return out;
  };
  return bare(a) == bare(b);
}

std::set<std::string> workers(const std::string& pid_file) {
  std::set<std::string> out;
  const auto pid = base::read_file(pid_file);
  if (!pid) return out;
  const std::string number = pid->substr(0, pid->find_first_not_of("0123456789"));
  const auto children = base::read_file(fmt::format("/proc/{0}/task/{0}/children", number));
  if (!children) return out;
  std::istringstream words(*children);
  for (std::string word; words >> word;) out.insert(word);
  return out;
}

// "" if self is there, or nothing is.
std::string missing_self(const NginxUpstream& settings, std::vector<Server>& servers) {
  if (servers.empty() || find(servers, settings.self) != nullptr) return "";
  std::vector<std::string> known;
  for (const Server& server : servers) known.push_back(server.address);
  const std::string near = base::nearest(settings.self, known);
  return fmt::format("no server line of {} has the address of self, {}; there are: {}; it was left as it is{}",
                     settings.file, settings.self, fmt::join(known, ", "),
                     near.empty() ? "" : fmt::format("; did you mean {}?", near));
}

}  // namespace

base::Result<std::vector<Server>> desired_servers(const NginxUpstream& settings, std::vector<Server> servers,
                                                  const DesiredState& to, const std::string& service) {
  if (const std::string why = missing_self(settings, servers); !why.empty())
    return base::fail(base::Kind::invalid, why);
  const auto place = [&](const std::string& address, std::optional<int> weight) {
    if (find(servers, address) == nullptr) servers.push_back({.address = address});
    Server& server = *find(servers, address);
    server.weight = weight.value_or(server.weight);
  };
  place(settings.self, settings.weight);
  for (const Peer& peer : settings.peers) place(peer.address, peer.weight);
  const std::string holder = mark_of(service);
  Server& self = *find(servers, settings.self);
  const bool ours = self.down && self.hold != Hold::others && self.holder == holder;
  if (self.down && !ours) return servers;
  if (!to.is_out()) {
    if (ours && self.hold == Hold::unhealthy && to.health == model::Health::unknown) return servers;
    self.down = false;
    self.share = std::clamp(to.share / kShareStep * kShareStep, kShareStep, DesiredState::kAll);
    self.holder = self.share < DesiredState::kAll ? holder : "";
    return servers;
  }
  self.down = true;
  self.hold = to.flow == Flow::drained ? Hold::drained : Hold::unhealthy;
  self.holder = holder;
  self.share = DesiredState::kAll;
  if (ours) return servers;
  const int all = static_cast<int>(servers.size());
  const int least = least_live(settings.min_live, all);
  if (const int left = live_count(servers); left < least)
    return base::fail(base::Kind::limit,
                      fmt::format("{} of {} servers of upstream {} would be live and there must be {}; {} stays in",
                                  left, all, settings.upstream, least, settings.self));
  return servers;
}

bool left_drained(const NginxUpstream& upstream, const std::string& service) {
  if (exists(previous(upstream.file))) return true;
  const auto text = base::read_file(upstream.file);
  if (!text) return false;
  auto servers = parse_servers(*text, upstream.file);
  if (!servers) return false;
  const Server* self = find(*servers, upstream.self);
  return self != nullptr && self->down && self->hold == Hold::drained && self->holder == mark_of(service);
}

std::string complaint_about(const NginxUpstream& upstream) {
  const std::string folder = upstream.file.substr(0, upstream.file.rfind('/') + 1);
  if (!exists(folder)) return fmt::format("there is no folder {} for the file {}", folder, upstream.file);
  if (!exists(upstream.file)) return "";  // fettle makes it
  const auto text = base::read_file(upstream.file);
  if (!text) return text.error().text;
  auto servers = parse_servers(*text, upstream.file);
  return servers ? missing_self(upstream, *servers) : servers.error().text;
}

struct Nginx::Rep {
  struct Request {
    std::uint64_t id;
    NginxUpstream upstream;
    DesiredState to;
    std::string service;
    base::Instant deadline;
    std::function<void(ApplyResult)> done;
    std::string text{};  // of success
  };
  // A drain that nginx has taken, while its old workers answer what they were asked before.
  struct Leaving {
    Request request;
    std::set<std::string> old_workers;
    base::Instant until;
  };
  struct Place final : loop::Registration {
    Place(std::weak_ptr<Rep> r, std::uint64_t i) : rep(std::move(r)), id(i) {}
    ~Place() override {
      if (const auto there = rep.lock()) there->forget(id);
    }
    std::weak_ptr<Rep> rep;
    std::uint64_t id;
  };

  Rep(loop::Scheduler& s, os::Systemd& d, os::Spawner& p) : scheduler(s), systemd(d), spawner(p) {}

  loop::Scheduler& scheduler;
  os::Systemd& systemd;
  os::Spawner& spawner;
  std::uint64_t next_id = 1;
  std::vector<Request> waiting;
  std::vector<Request> batch;  // under way; all of one nginx
  std::vector<Leaving> leaving;
  std::deque<std::pair<Request, ApplyResult>> answers;  // that are being told: the one that is told may drop others
  std::map<std::string, std::string> before;            // the last content that worked, by file that the batch wrote
  std::set<std::string> old_workers;
  base::Instant deadline{}, workers_until{};
  std::optional<base::Instant> last_reload;
  loop::Handle timer, step, leaving_timer;

  void forget(std::uint64_t id) {
    std::erase_if(waiting, [&](const Request& r) { return r.id == id; });
    std::erase_if(leaving, [&](const Leaving& l) { return l.request.id == id; });
    for (Request& r : batch)
      if (r.id == id) r.done = nullptr;
    std::erase_if(answers, [&](const auto& answer) { return answer.first.id == id; });
  }

  void tell_answers() {
    while (!answers.empty()) {
      auto [request, applied] = std::move(answers.front());
      answers.pop_front();
      if (request.done) request.done(std::move(applied));
    }
  }

  void arm() {
    if (waiting.empty() || !batch.empty() || timer) return;
    base::Instant at = scheduler.now();
    if (last_reload) at = std::max(at, *last_reload + kBetweenReloads);
    timer = scheduler.at(at, [this] {
      const loop::Handle own = std::move(timer);
      begin();
    });
  }

  static bool same_nginx(const NginxUpstream& a, const NginxUpstream& b) {
    return a.test == b.test && a.reload == b.reload && a.unit == b.unit && a.pid_file == b.pid_file;
  }

  void begin() {
    if (waiting.empty()) return;
    const NginxUpstream way = waiting.front().upstream;
    const auto rest = std::stable_partition(waiting.begin(), waiting.end(),
                                            [&](const Request& r) { return same_nginx(r.upstream, way); });
    std::vector<Request> taken(std::make_move_iterator(waiting.begin()), std::make_move_iterator(rest));
    waiting.erase(waiting.begin(), rest);
    deadline = scheduler.now() + std::chrono::seconds{5};
    for (Request& r : taken) {
      deadline = std::max(deadline, r.deadline);
      auto change = write(r);
      if (!change) answers.emplace_back(std::move(r), ApplyResult{refusal(change.error()), change.error().text});
      else if (!*change)
        answers.emplace_back(std::move(r), ApplyResult{ActionStatus::ok, r.text + ", as before", false, true});
      else batch.push_back(std::move(r));
    }
    if (!batch.empty()) test();
    tell_answers();
    arm();
  }

  static ActionStatus refusal(const base::Error& error) {
    return error.kind == base::Kind::limit || error.kind == base::Kind::invalid ? ActionStatus::refused
                                                                                : ActionStatus::failed;
  }

  // Whether nginx has to be told.
  base::Result<bool> write(Request& r) {
    const std::string& file = r.upstream.file;
    const bool unfinished = exists(previous(file));
    std::string old;
    std::vector<Server> servers;
    if (exists(file)) {
      TRY(old, base::read_file(file));
      TRY(servers, parse_servers(old, file));
    }
    TRY(const auto wanted, desired_servers(r.upstream, servers, r.to, r.service));
    r.text = text_of(r, wanted);
    const std::string text = to_text(wanted);
    if (!unfinished && !before.contains(file) && same_for_nginx(text, old)) {
      if (text != old) TRY_VOID(base::write_file_atomically(file, text));
      return false;
    }
    if (!before.contains(file)) {
      // What a crash left as .prev is the last that is known to have worked.
      if (unfinished) {
        TRY(old, base::read_file(previous(file)));
      } else {
        if (old.empty()) {
          TRY(const auto live, desired_servers(r.upstream, {}, DesiredState{}, r.service));
          old = to_text(live);
        }
        TRY_VOID(base::write_file_atomically(previous(file), old));
      }
      before.emplace(file, old);
    }
    if (auto written = base::write_file_atomically(file, text); !written) {
      const bool shared =
          std::any_of(batch.begin(), batch.end(), [&](const Request& other) { return other.upstream.file == file; });
      if (!shared) before.erase(file);
      if (!shared && !unfinished) ::unlink(previous(file).c_str());
      return tl::unexpected<base::Error>(written.error());
    }
    return true;
  }

  static std::string text_of(const Request& r, std::vector<Server> servers) {
    const Server* self = find(servers, r.upstream.self);
    const std::string counts = fmt::format("{} of {} servers live", live_count(servers), servers.size());
    if (self->down && (self->hold == Hold::others || self->holder != mark_of(r.service)))
      return fmt::format("nginx upstream {}: {} stays down: it was not fettle that took it out of {}; {}",
                         r.upstream.upstream, r.upstream.self, r.upstream.file, counts);
    const std::string place = self->down          ? "out"
                              : self->share < 100 ? fmt::format("in with {} % of its weight", self->share)
                                                  : "in";
    return fmt::format("nginx upstream {}: {} is {}; {}", r.upstream.upstream, r.upstream.self, place, counts);
  }

  base::Millis left() const {
    return std::max(base::Millis{1}, std::chrono::duration_cast<base::Millis>(deadline - scheduler.now()));
  }

  void spawn(const std::vector<std::string>& argv, void (Rep::*then)(std::string)) {
    os::Command command;
    command.argv = argv;
    command.environment = {{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
                           {"LANG", "C.UTF-8"}};
    command.limit = left();
    command.leftovers = os::Leftovers::kept;  // a reload may start nginx
    step = spawner.spawn(std::move(command), [this, argv, then](base::Result<os::Finished> finished) {
      (this->*then)(complaint_of(argv, finished));
    });
  }

  void test() {
    const NginxUpstream& way = batch.front().upstream;
    old_workers = way.pid_file.empty() ? std::set<std::string>{} : workers(way.pid_file);
    if (way.test.empty()) reload();
    else spawn(way.test, &Rep::tested);
  }
  void tested(std::string complaint) {
    if (complaint.empty()) return reload();
    roll_back();
    finish(complaint);
  }

  void tell_nginx(void (Rep::*then)(std::string)) {
    last_reload = scheduler.now();
    const NginxUpstream& way = batch.front().upstream;
    if (!way.reload.empty()) return spawn(way.reload, then);
    step = systemd.run_job("reload", way.unit, deadline, [this, unit = way.unit, then](base::Result<std::string> job) {
      if (!job) return (this->*then)(fmt::format("systemd reload {}: {}", unit, job.error().text));
      (this->*then)(*job == "done" ? ""
                                   : fmt::format("systemd reload {}: the job ended as '{}'; see: journalctl -u {}",
                                                 unit, *job, unit));
    });
  }

  void reload() { tell_nginx(&Rep::reloaded); }
  void reloaded(std::string complaint) {
    if (!complaint.empty()) return undo(std::move(complaint));
    workers_until = scheduler.now() + kNewWorkers;
    look_for_workers();
  }

  // A signal to nginx succeeds also when it then refuses its configuration; only new workers are a proof.
  void look_for_workers() {
    const std::string& pid_file = batch.front().upstream.pid_file;
    if (pid_file.empty()) return finish("");
    const auto now = workers(pid_file);
    const bool fresh = std::any_of(now.begin(), now.end(), [&](const auto& pid) { return !old_workers.contains(pid); });
    if (fresh) return finish("");
    if (scheduler.now() >= workers_until)
      return undo(
          fmt::format("nginx ({}) has no new workers {} after the reload, so it refused the configuration; see "
                      "its error log",
                      pid_file, base::format_duration(kNewWorkers)));
    step = scheduler.after(kLook, [this] { look_for_workers(); });
  }

  // The reload failed or nobody knows: the old file comes back, and nginx is told once more, in case it had taken the
  // new one.
  std::string reason;
  void undo(std::string complaint) {
    roll_back();
    reason = std::move(complaint);
    tell_nginx(&Rep::undone);
  }
  void undone(std::string) { finish(reason); }

  void roll_back() {
    for (const auto& [file, text] : before)
      if (const auto written = base::write_file_atomically(file, text); !written)
        base::log::error("an nginx file could not be put back; put it back by hand from its .prev, then reload nginx",
                         {{"file", file}, {"error", written.error().text}});
  }

  void finish(const std::string& complaint) {
    const loop::Handle own = std::move(step);
    for (const auto& [file, text] : before) ::unlink(previous(file).c_str());
    before.clear();
    for (Request& r : std::exchange(batch, {})) {
      if (!r.done) continue;
      const std::string text = complaint.empty() ? r.text
                                                 : fmt::format("nginx upstream {}: {}; {} is as it was before",
                                                               r.upstream.upstream, complaint, r.upstream.file);
      if (complaint.empty() && r.to.flow == Flow::drained) wait_for_requests(std::move(r));
      else
        answers.emplace_back(std::move(r),
                             ApplyResult{complaint.empty() ? ActionStatus::ok : ActionStatus::failed, text});
    }
    if (!leaving.empty() && !leaving_timer) look_at_leaving();
    tell_answers();
    arm();
  }

  // Old workers take no more requests and end when those are answered that they have.
  void wait_for_requests(Request r) {
    const base::Instant until = std::min(scheduler.now() + r.upstream.in_flight, r.deadline);
    leaving.push_back({std::move(r), old_workers, until});
  }
  void look_at_leaving() {
    for (auto it = leaving.begin(); it != leaving.end();) {
      const auto now = workers(it->request.upstream.pid_file);
      const bool busy =
          std::any_of(now.begin(), now.end(), [&](const auto& pid) { return it->old_workers.contains(pid); });
      if (busy && scheduler.now() < it->until) {
        ++it;
        continue;
      }
      if (busy) it->request.text += "; old workers still answer requests, and were given up";
      std::string text = it->request.text;
      answers.emplace_back(std::move(it->request), ApplyResult{ActionStatus::ok, std::move(text)});
      it = leaving.erase(it);
    }
    const loop::Handle own = std::move(leaving_timer);
    if (!leaving.empty()) leaving_timer = scheduler.after(kLook, [this] { look_at_leaving(); });
    tell_answers();
  }
};

Nginx::Nginx(loop::Scheduler& scheduler, os::Systemd& systemd, os::Spawner& spawner)
    : rep_(std::make_shared<Rep>(scheduler, systemd, spawner)) {}
Nginx::~Nginx() = default;

loop::Handle Nginx::apply(const NginxUpstream& upstream, const DesiredState& to, const std::string& service,
                          base::Instant deadline, std::function<void(ApplyResult)> done) {
  const std::uint64_t id = rep_->next_id++;
  rep_->waiting.push_back({id, upstream, to, service, deadline, std::move(done)});
  rep_->arm();
  return loop::Handle(std::make_unique<Rep::Place>(rep_, id));
}

}  // namespace recover::traffic
