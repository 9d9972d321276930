// What of a plan must be durable before it goes on, and what becomes of it when the disk does not take it.
#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "recover/dispatcher_rep.h"
#include "recover/recorder.h"

namespace recover {
namespace {

// A disk that has not answered for so long counts as one that cannot be written.
constexpr std::chrono::seconds kCommitLimit{10};
constexpr std::chrono::seconds kClosesAgain{5};
constexpr std::size_t kUnwritten = 200;  // changes of one service; of more the oldest go

}  // namespace

bool Dispatcher::Rep::reboots(const PlanSpec& spec) {
  return std::any_of(spec.steps.begin(), spec.steps.end(), [](const Step& step) {
    const auto job = step.action->systemd_job();
    return job && job->unit.empty() && job->verb == "reboot";
  });
}

void Dispatcher::Rep::commit_intent(Active& a) {
  if (context.recorder != nullptr) context.recorder->begin(a.spec->service, a.plan->run().report.id);
  std::vector<Change> changes = store.intent(*a.plan);
  // A dry run takes nothing from those that act.
  if (a.plan->acts() && a.plan->current_step().action->may_heal()) changes.push_back(node.spend(a.spec->service));
  commit(a, std::move(changes));
}

void Dispatcher::Rep::commit_close(Active& a) { commit(a, store.close(*a.plan)); }

void Dispatcher::Rep::commit(Active& a, std::vector<Change> changes) {
  const std::uint64_t number = ++a.commit;
  const std::string service = a.spec->service;
  // The ends of its earlier runs that are not written yet come first.
  if (const auto left = unwritten_closes.find(service); left != unwritten_closes.end())
    changes.insert(changes.begin(), left->second.begin(), left->second.end());
  a.commit_limit = context.scheduler.after(kCommitLimit, [this, service, number] {
    settle_commit(service, number, base::fail(base::Kind::timeout, "the disk does not answer"));
  });
  state.commit(std::move(changes),
               [this, still = std::weak_ptr(alive), service, number](const base::Result<>& written) {
                 if (!still.expired()) settle_commit(service, number, written);
               });
}

void Dispatcher::Rep::settle_commit(const std::string& service, std::uint64_t number, const base::Result<>& written) {
  Active* there = find(service);
  const bool waits = there != nullptr && there->commit == number && there->commit_limit;
  if (!waits) return node.settle(service, written ? NodeBudget::Commit::kept : NodeBudget::Commit::lost);
  const loop::Handle own = std::move(there->commit_limit);
  committed(*there, written);
}

void Dispatcher::Rep::committed(Active& a, const base::Result<>& written) {
  const std::string service = a.spec->service, id = a.plan->run().report.id;
  base::Result<> result = written;
  if (written) unwritten_closes.erase(service);
  else result = go_on_unwritten(a, written.error());
  node.settle(service, result ? NodeBudget::Commit::kept : NodeBudget::Commit::lost);
  const auto person = std::exchange(a.person, nullptr);
  apply(a, a.plan->durable(result, input(a)));
  if (!person) return;
  const bool began = a.plan->running() && a.plan->phase() != Phase::closing;
  if (result && !began) person(not_recovered(service, "it was stopped before it began"));
  else if (result) person(fmt::format("recovery {} of {} has started", id, service));
  else
    person(
        base::fail(result.error().kind, "nothing was done: the intent could not be written: " + result.error().text));
}

// The end of a run is told in any case, and written later. Before an action it is asked whether that may be done
// without a record of it; a dry run does nothing.
base::Result<> Dispatcher::Rep::go_on_unwritten(Active& a, const base::Error& why) {
  const Run& run = a.plan->run();
  if (a.plan->phase() == Phase::closing) {
    std::vector<Change>& left = unwritten_closes[a.spec->service];
    std::vector<Change> close = store.close(*a.plan);
    left.insert(left.end(), std::make_move_iterator(close.begin()), std::make_move_iterator(close.end()));
    if (left.size() > kUnwritten) left.erase(left.begin(), left.end() - kUnwritten);
    closes_again = context.scheduler.after(kClosesAgain, [this] { write_closes(); });
    return {};
  }
  const base::Result<> may =
      run.report.mode == RecoveryMode::dry_run ? base::Result<>()
      : run.only ? base::fail(base::Kind::unavailable, "a rollout does not go on without a record of it")
                 : unwritten_runs.let({a.spec->service, run.report.id, run.by_operator, reboots(*a.spec)});
  if (may) {
    base::log::warn("recovery goes on although its intent could not be written; a crash of the agent would forget it",
                    {{"service", a.spec->service}, {"recovery", run.report.id}, {"error", why.text}});
    return {};
  }
  base::log::error("recovery waits: its intent could not be written; trying again",
                   {{"service", a.spec->service}, {"error", why.text}, {"reason", may.error().text}});
  return tl::unexpected<base::Error>(why);
}

// Not those of a service that has a run again: its next commit has them with it.
void Dispatcher::Rep::write_closes() {
  const loop::Handle own = std::move(closes_again);
  std::map<std::string, std::vector<Change>> closes;
  std::vector<Change> changes;
  for (const auto& [service, close] : unwritten_closes) {
    const Active* there = find(service);
    if (there != nullptr && there->plan->running()) continue;
    closes.emplace(service, close);
    changes.insert(changes.end(), close.begin(), close.end());
    if (there == nullptr) continue;
    for (Change& change : store.budget(*there->plan))
      changes.push_back(std::move(change));  // and what has changed since
  }
  if (closes.empty()) return;
  for (const auto& [service, close] : closes) unwritten_closes.erase(service);
  state.commit(std::move(changes), [this, still = std::weak_ptr(alive), closes](const base::Result<>& written) {
    if (still.expired() || written) return;
    for (const auto& [service, close] : closes) {
      std::vector<Change>& left = unwritten_closes[service];
      left.insert(left.begin(), close.begin(), close.end());
    }
    closes_again = context.scheduler.after(kClosesAgain, [this] { write_closes(); });
  });
}

}  // namespace recover
