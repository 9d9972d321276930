// The moves of a member: each is done by an answer, after which the run looks again.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "recover/drill/drill_program.h"
#include "recover/standby/judgements.h"
#include "recover/standby/member_run.h"

namespace recover {
namespace {

constexpr base::Millis kHookLimit{20'000}, kRejoinLimit{600'000};
constexpr std::chrono::seconds kRejoinAgain{15};  // after a program that has ended

}  // namespace

// A store that does not say whether it did what it was asked for is read again before anything else is done.
void StandbyMemberRun::after(ElectionAnswer answer, const std::string& text) {
  if (answer.kind == Elected::yes) return done(text);
  failed(fmt::format("the store did not take it: {} ({})", answer.text, text));
}

void StandbyMemberRun::write(StandbyRecord record, const std::string& text) {
  step_ = context_.election.write(spec_->service, record, seen_.revision,
                                  [this, text](ElectionAnswer answer) { after(std::move(answer), text); });
}

void StandbyMemberRun::look_again(const std::string& member, std::function<void(const ServerLook&)> then) {
  const auto address = spec_->members.find(member);
  if (address == spec_->members.end()) return failed(member + " is no member in this agent's configuration");
  step_ = servers_->look(address->second, std::move(then));
}

os::Command StandbyMemberRun::program(const std::vector<std::string>& argv, const std::string& member) const {
  const auto address_of = [&](const std::string& node) {
    const auto found = spec_->members.find(node);
    return found == spec_->members.end() ? "" : found->second.text();
  };
  os::Command command;
  command.argv = argv;
  command.environment = {{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
                         {"FETTLE_SERVICE", spec_->service},
                         {"FETTLE_NODE", member},
                         {"FETTLE_ADDRESS", address_of(member)},
                         {"FETTLE_CANDIDATE", node_},
                         {"FETTLE_FENCE", fmt::to_string(seen_.right ? seen_.right->fence : 0)}};
  if (seen_.record && seen_.record->primary != member) {
    command.environment.emplace("FETTLE_PRIMARY_NODE", seen_.record->primary);
    command.environment.emplace("FETTLE_PRIMARY_ADDRESS", address_of(seen_.record->primary));
  }
  command.limit = kHookLimit;
  return command;
}

void StandbyMemberRun::run_fence(const std::string& member, std::function<void(std::string trouble)> then) {
  fencing_here_ = member == node_;
  step_ = context_.spawner.spawn(
      program(spec_->fence, member),
      [this, name = spec_->fence.front(), then = std::move(then)](const base::Result<os::Finished>& finished) {
        fencing_here_ = false;
        then(failure_of(name, finished));
      });
}

// With what its file has, so that an agent that is started later knows it.
StandbyServers::Closing StandbyMemberRun::closing() const {
  return {own().answers && !own().primary, memory_.run_id == own().run_id && memory_.started_closed};
}

// The lease is lost: what of a move is under way must not open the server behind this.
void StandbyMemberRun::on_lease() {
  if (context_.election.holds()) had_lease_ = true;
  if (context_.election.holds() || !had_lease_ || spec_->mode == model::RecoveryMode::dry_run) return;
  if (!may_be_open_ || fencing_here_ || !seen_.record || seen_.record->primary != node_) return;
  pause();
  close();
}

// A server that no agent can close is ended by the fence program, or started as a standby.
void StandbyMemberRun::close() {
  const auto then = [this](const std::string& trouble) {
    if (!trouble.empty()) return failed("the server here could not be closed to writes: " + trouble);
    look_again(node_, [this](const ServerLook& look) {
      if (takes_writes(look) || (spec_->closes() && !look.answers))
        return failed("the server here was told to take no writes and does not say so: " + look.trouble);
      may_be_open_ = false;
      done("the server here is closed to writes");
    });
  };
  if (spec_->closes()) step_ = servers_->close(spec_->members.at(node_), closing(), then);
  else run_fence(node_, then);
}

void StandbyMemberRun::take() {
  const bool primary = seen_.record && seen_.record->primary == node_;
  const std::int64_t offset =
      primary || !seen_.record ? 0 : std::max<std::int64_t>({memory_.offset, seen_.record->offset, 1});
  step_ = context_.election.take(spec_->service, offset, [this](ElectionAnswer answer) {
    after(std::move(answer), "took the right to be the primary");
  });
}

// What the record says of the own server, and by which right.
void StandbyMemberRun::take_down(StandbyRecord& record) const {
  record.fence = seen_.right->fence;
  record.run_id = own().run_id;
  record.starts_closed = memory_.started_closed;
  record.system = own().system;
  record.timeline = std::max(own().timeline, memory_.own_timeline);
  record.offset = 0;
}

void StandbyMemberRun::adopt() {
  StandbyRecord record = seen_.record.value_or(StandbyRecord{});
  record.primary = node_;
  // One that was started as a standby is promoted again.
  record.state = own().primary || spec_->closes() ? StandbyState::held : StandbyState::promoting;
  take_down(record);
  write(std::move(record), "the server here is the primary by the record");
}

void StandbyMemberRun::drop() {
  step_ = context_.election.drop(spec_->service,
                                 [this](ElectionAnswer answer) { after(std::move(answer), "gave the right back"); });
}

// By its own word: it becomes a replica of the server here, which no late command opens; or it is one already. By its
// agent's, which has closed it and has written that. Or by a program's.
void StandbyMemberRun::prove_fence() {
  if (spec_->veto.empty()) return fence_now();
  step_ = context_.spawner.spawn(program(spec_->veto, seen_.record->primary),
                                 [this](const base::Result<os::Finished>& finished) {
                                   const std::string trouble = failure_of(spec_->veto.front(), finished);
                                   if (trouble.empty()) return fence_now();
                                   memory_.vetoed = context_.scheduler.now();
                                   memory_.veto = trouble;
                                   callbacks_.on_event(spec_->service, "vetoed: " + trouble);
                                   failed("vetoed: " + trouble);
                                 });
}

void StandbyMemberRun::fence_now() {
  if (!context_.election.holds()) return failed("the lease was lost while the veto program ran");
  const std::string& old = seen_.record->primary;
  const StandbyFacts now = facts();
  if (closed_by_own_word(now, *seen_.record)) {
    const auto then = [this, old](const std::string&) {
      look_again(old, [this, old](const ServerLook& look) {
        if (look.answers && !look.primary && look.closed) return fenced(old + " says that it is a replica now");
        not_fenced(fmt::format("{} was told to be a replica and does not say that it is: {}", old, look.trouble));
      });
    };
    if (!spec_->closes()) return then("");
    std::optional<StandbyServers::Closing> closing;
    if (!looks_.at(old).gate) closing.emplace();
    step_ = servers_->demote(spec_->members.at(old), spec_->members.at(node_), closing, then);
    return;
  }
  if (closed_by_its_agent(now, *seen_.record))
    return fenced(fmt::format("the agent of {} has closed it and given up the right", old));
  if (spec_->fence.empty()) return not_fenced("there is no fence program");
  run_fence(old, [this, old](const std::string& trouble) {
    if (!trouble.empty()) return not_fenced(trouble);
    if (!spec_->members.contains(old)) return fenced("the fence program says so");
    look_again(old, [this, old](const ServerLook& look) {
      if (look.answers && !look.closed) return not_fenced("the fence program ended well, but the server takes writes");
      fenced(fmt::format("the fence program has ended well for {}", old));
    });
  });
}

void StandbyMemberRun::not_fenced(const std::string& why) {
  memory_.fence_failed = context_.scheduler.now();
  callbacks_.on_event(spec_->service, "fence_not_proven: " + why);
  failed("fence_not_proven: " + why);
}

void StandbyMemberRun::fenced(const std::string& how) {
  if (!context_.election.holds()) return failed("the lease was lost while the fence was proven");
  memory_.fence_failed = {};
  StandbyRecord record = *seen_.record;
  if (!must_rejoin(record, record.primary)) record.must_rejoin.push_back(record.primary);
  std::erase(record.must_rejoin, node_);
  record.primary = node_;
  record.state = StandbyState::promoting;
  take_down(record);
  record.promoted = context_.scheduler.wall_now();
  write(std::move(record), fmt::format("fence proven ({}); the server here is to be the primary", how));
}

void StandbyMemberRun::make_primary() {
  if (!context_.election.holds()) return failed("the lease was lost before the promotion");
  may_be_open_ = !spec_->closes();
  step_ = servers_->promote(spec_->members.at(node_), [this](const std::string& trouble) {
    if (!trouble.empty()) return failed("the server here could not be promoted: " + trouble);
    done(spec_->closes() ? "the server here was promoted, closed to writes" : "the server here was promoted");
  });
}

// The write proves that the server is open.
void StandbyMemberRun::open() {
  if (!context_.election.holds()) return failed("the lease was lost before the server was opened");
  may_be_open_ = true;
  traffic_due_ = !spec_->move_traffic.empty();
  step_ = servers_->open(spec_->members.at(node_), seen_.right->fence, [this](const std::string& trouble) {
    if (!context_.election.holds()) return close();
    if (!trouble.empty()) return failed("the server here does not take a write: " + trouble);
    memory_.written = seen_.right->fence;
    move_traffic();
    done(fmt::format("the server here takes writes, fence {}", seen_.right->fence));
  });
}

void StandbyMemberRun::complete() {
  StandbyRecord record = *seen_.record;
  record.state = StandbyState::held;
  take_down(record);
  step_ = context_.election.write(spec_->service, record, seen_.revision, [this](ElectionAnswer answer) {
    if (answer.kind != Elected::yes) return after(std::move(answer), "record the end of the promotion");
    ++promotions_;
    approved_until_ = {};
    done("the promotion is complete, the server here is opened next");
  });
}

void StandbyMemberRun::move_traffic() {
  traffic_due_ = false;
  if (spec_->move_traffic.empty() || !seen_.right) return;
  traffic_ =
      context_.spawner.spawn(program(spec_->move_traffic, node_), [this](const base::Result<os::Finished>& finished) {
        const std::string trouble = failure_of(spec_->move_traffic.front(), finished);
        if (!trouble.empty())
          base::log::error("standby: traffic was not moved", {{"service", spec_->service}, {"why", trouble}});
        callbacks_.on_event(spec_->service,
                            trouble.empty() ? "traffic was moved" : "traffic was not moved: " + trouble);
      });
}

void StandbyMemberRun::give_up() {
  const ServerLook& look = own();
  if (look.answers && spec_->closes()) {
    step_ = servers_->close(spec_->members.at(node_), closing(), [this](const std::string&) {
      look_again(node_, [this](const ServerLook& after) {
        if (after.answers && after.closed) return released("it was closed to writes");
        not_fenced("the server here was told to take no writes and does not say so: " + after.trouble);
      });
    });
    return;
  }
  if (look.refused && seen_.record->starts_closed) return released("no process listens, and one that starts is closed");
  if (spec_->fence.empty())
    return not_fenced(fmt::format("the server here does not answer ({}), and there is no fence program", look.trouble));
  run_fence(node_, [this](const std::string& trouble) {
    if (!trouble.empty()) return not_fenced(trouble);
    look_again(node_, [this](const ServerLook& after) {
      const bool gone = after.refused && (seen_.record->starts_closed || !spec_->closes());
      if (gone || (after.answers && after.closed)) return released("the fence program has ended it");
      not_fenced("the fence program ended well, but the server here is neither gone nor closed: " + after.trouble);
    });
  });
}

void StandbyMemberRun::released(const std::string& how) {
  memory_.fence_failed = {};
  may_be_open_ = false;
  StandbyRecord record = *seen_.record;
  record.state = StandbyState::released;
  record.offset = memory_.offset;
  write(std::move(record), fmt::format("gave up: the server here takes no write ({})", how));
}

void StandbyMemberRun::follow() {
  if (!spec_->closes() || !own().diverged.empty()) return run_rejoin();
  const StandbyMember& primary = spec_->members.at(seen_.record->primary);  // decide() has seen that it is one
  std::optional<StandbyServers::Closing> gate;
  if (!own().gate) gate = closing();
  step_ = servers_->follow(spec_->members.at(node_), primary, gate, [this](const std::string& trouble) {
    if (!trouble.empty()) return failed("the server here could not be made a replica: " + trouble);
    done(fmt::format("the server here follows that of {}", seen_.record->primary));
  });
}

// Beside the looks: a base copy takes long.
void StandbyMemberRun::run_rejoin() {
  const base::Instant now = context_.scheduler.now();
  if (rejoining_until_ > now) return next(kEvery);
  rejoining_until_ = now + kRejoinLimit + kRejoinAgain;
  os::Command command = program(spec_->rejoin, node_);
  command.limit = kRejoinLimit;
  rejoining_ = context_.spawner.spawn(std::move(command), [this](const base::Result<os::Finished>& finished) {
    const std::string trouble = failure_of(spec_->rejoin.front(), finished);
    rejoining_until_ = context_.scheduler.now() + kRejoinAgain;
    if (!trouble.empty())
      base::log::error("standby: the rejoin program failed", {{"service", spec_->service}, {"why", trouble}});
    callbacks_.on_event(spec_->service,
                        trouble.empty() ? "the rejoin program ended" : "the rejoin program failed: " + trouble);
  });
  base::log::info("standby", {{"service", spec_->service}, {"done", "started the rejoin program"}});
  callbacks_.on_event(spec_->service, "started the rejoin program");
  next(kEvery);
}

void StandbyMemberRun::rejoined() {
  StandbyRecord record = *seen_.record;
  std::erase(record.must_rejoin, node_);
  approved_until_ = {};
  write(std::move(record), "the server here has rejoined");
}

}  // namespace recover
