#include "recover/drill/fault_drills.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "loop/scheduler.h"
#include "recover/drill/drill_spec.h"
#include "state/state.h"

namespace recover {
namespace {

using namespace std::chrono_literals;
using Effect = FaultDrill::Effect;
using state::Change;
using state::Table;

constexpr std::string_view kRecords = "fault/", kOpen = "fault_open/";
constexpr auto kLookEvery = 10s;
constexpr auto kTick = 500ms;
constexpr auto kUndoAgain = 2s;
constexpr auto kAskAgain = 60s;  // for a slot
constexpr base::Millis kSlotTtl{15'000}, kSlotLimit{10'000};
constexpr base::Millis kAfterFailure{86'400'000}, kAfterInterruption{600'000};

std::string record_key(const std::string& service, Fault fault) {
  return fmt::format("{}{}/{}", kRecords, service, to_string(fault));
}
std::string open_key(const std::string& service) { return std::string(kOpen) + service; }

}  // namespace

base::WallTime due_at(const FaultDrillSpec& spec, const FaultRecord& record) {
  const base::Millis every = between_drills(spec.every, true);
  switch (record.last.result) {
    case FaultResult::none: return record.known_since;
    case FaultResult::passed: return record.last.started + every;
    case FaultResult::interrupted: return record.last.ended + kAfterInterruption;
    default: return record.last.started + std::min(every, kAfterFailure);
  }
}

// What an agent before this one left.
struct FaultDrills::Left {
  OpenFault open;
  FaultInjection injection;
  bool complained = false;
  loop::Handle again{};
};

struct FaultDrills::Running {
  FaultDrill drill;
  FaultInjection injection;
  bool complained = false;
  bool over = false;
  loop::Handle again{};
};

FaultDrills::FaultDrills(FaultDrillContext context, state::State& state, FaultDrillCallbacks callbacks)
    : context_(context), state_(state), callbacks_(std::move(callbacks)) {
  for (const auto& [key, text] : state_.read(Table::recoveries)) {
    if (key.starts_with(kOpen)) {
      auto open = parse_open_fault(text);
      if (!open) {
        base::log::error("a rehearsed fault may be there, and its record cannot be read",
                         {{"record", key}, {"error", open.error().text}});
        continue;
      }
      const std::string service = open->service;
      left_[service] =
          std::make_unique<Left>(Left{*std::move(open), FaultInjection(context_.scheduler, context_.systemd)});
    } else if (key.starts_with(kRecords)) {
      const std::size_t slash = key.rfind('/');
      const auto fault = parse_fault(std::string_view(key).substr(slash + 1));
      const auto record = parse_fault_record(text);
      if (fault && record) records_[{key.substr(kRecords.size(), slash - kRecords.size()), *fault}] = *record;
      else base::log::error("the record of a fault drill cannot be read", {{"record", key}});
    }
  }
  for (auto& [service, left] : left_) undo(*left);
}

FaultDrills::~FaultDrills() = default;

FaultDrill::At FaultDrills::now() const { return {context_.scheduler.now(), context_.scheduler.wall_now()}; }

FaultRecord& FaultDrills::record_of(const std::string& service, Fault fault) {
  FaultRecord& record = records_[{service, fault}];
  if (record.known_since == base::WallTime{}) record.known_since = context_.scheduler.wall_now();
  return record;
}

void FaultDrills::undo(Left& left) {
  const OpenFault& open = left.open;
  if (!left.complained)
    base::log::warn("a rehearsed fault that an agent before this one left is undone",
                    {{"service", open.service}, {"fault", std::string(to_string(open.fault))}, {"unit", open.unit}});
  left.injection.undo(open.fault, open.unit, [this, service = open.service](const base::Result<>& undone) {
    Left& there = *left_.at(service);
    if (!undone) {
      if (!std::exchange(there.complained, true))
        base::log::warn("a rehearsed fault is not undone yet; it is tried again and again",
                        {{"service", service}, {"error", undone.error().text}});
      there.again = context_.scheduler.after(kUndoAgain, [this, service] { undo(*left_.at(service)); });
      return;
    }
    FaultRecord& record = record_of(service, there.open.fault);
    record.last = FaultReport{};
    record.last.result = FaultResult::interrupted;
    record.last.text = "the agent ended in the middle of it; the fault is undone";
    record.last.started = there.open.started;
    record.last.ended = context_.scheduler.wall_now();
    state_.commit({Change::put(Table::recoveries, record_key(service, there.open.fault), to_json(record)),
                   Change::remove(Table::recoveries, open_key(service))},
                  [](const base::Result<>&) {});
    const FaultReport report = record.last;
    const Fault fault = there.open.fault;
    // In a later turn: it is being called.
    there.again = context_.scheduler.after({}, [this, service, fault, report] {
      const auto gone = left_.extract(service);
      callbacks_.on_report(service, fault, report);
      callbacks_.on_change();
    });
  });
}

void FaultDrills::replace(std::vector<ConfiguredFault> drills) {
  configured_ = std::move(drills);
  for (const ConfiguredFault& spec : configured_) {
    const bool fresh = !records_.contains({spec->service, spec->fault});
    const FaultRecord& record = record_of(spec->service, spec->fault);
    if (fresh)
      state_.commit({Change::put(Table::recoveries, record_key(spec->service, spec->fault), to_json(record))},
                    [](const base::Result<>&) {});
  }
  // The service, its unit and its plan may be others now.
  if (running_) carry_out(running_->drill.stop("the configuration was loaded again", now()));
  timer_ = configured_.empty() ? loop::Handle{} : context_.scheduler.after(kLookEvery, [this] { look(); });
}

void FaultDrills::look() {
  timer_ = context_.scheduler.after(kLookEvery, [this] { look(); });
  const FaultDrill::At at = now();
  if (running_ || !asking_.empty() || !left_.empty() || at.now < not_before_) return;
  const FaultDrillSpec* first = nullptr;
  const auto due = [this](const FaultDrillSpec& spec) { return due_at(spec, record_of(spec.service, spec.fault)); };
  for (const ConfiguredFault& spec : configured_) {
    if (due(*spec) > at.wall || !spec->open(at.wall)) continue;
    const std::string why = callbacks_.held(spec->service);
    if (std::string& told = waits_[spec->name]; told != why) {
      told = why;
      if (!why.empty()) base::log::info("a fault drill does not begin", {{"service", spec->service}, {"reason", why}});
    }
    if (why.empty() && (first == nullptr || due(*spec) < due(*first))) first = spec.get();
  }
  if (first == nullptr) return;
  const auto target = callbacks_.target(first->service);
  if (target) ask_slot(*target, first->fault, nullptr);
}

bool FaultDrills::has(const std::string& name) const {
  return std::any_of(configured_.begin(), configured_.end(), [&](const auto& spec) { return spec->name == name; });
}

bool FaultDrills::run(const std::string& name, const Done& done) {
  const auto found =
      std::find_if(configured_.begin(), configured_.end(), [&](const auto& spec) { return spec->name == name; });
  if (found == configured_.end()) return false;
  run((*found)->service, (*found)->fault, done);
  return true;
}

void FaultDrills::run(const std::string& service, Fault fault, Done done) {
  const auto refuse = [&](base::Kind kind, std::string why) { done(base::fail(kind, std::move(why))); };
  const auto target = callbacks_.target(service);
  if (!target)
    return refuse(base::Kind::not_found, fmt::format("there is no service '{}' in the configuration", service));
  if (const std::string why = unit_complaint(service, target->unit); !why.empty())
    return refuse(base::Kind::invalid, why);
  if (const std::string other = running(); !other.empty())
    return refuse(base::Kind::unavailable, other + "; one runs at a time");
  if (const std::string why = callbacks_.held(service); !why.empty()) return refuse(base::Kind::unavailable, why);
  ask_slot(*target, fault, std::move(done));
}

std::string FaultDrills::running() const {
  if (running_)
    return fmt::format("the drill {} of {} is under way", to_string(running_->drill.fault()),
                       running_->drill.target().service);
  if (!asking_.empty()) return fmt::format("a drill of {} is about to begin", asking_);
  if (!left_.empty()) return fmt::format("the fault of an earlier drill of {} is being undone", left_.begin()->first);
  return "";
}

// Peers can carry the load if a recovery of the service might begin. The slot is given back before the fault is there,
// because the plan will ask for it.
void FaultDrills::ask_slot(const FaultTarget& target, Fault fault, Done done) {
  asking_ = target.service;
  asked_by_ = std::move(done);
  SlotRequest request;
  request.service = target.service;
  request.recovery = fmt::format("drill_{}", base::to_ms(context_.scheduler.wall_now()));
  request.ttl = kSlotTtl;
  request.deadline = context_.scheduler.now() + kSlotLimit;
  request.by_person = asked_by_ != nullptr;
  slot_ = context_.slots.acquire(
      request,
      [this, target, fault](const SlotAnswer& answer) {
        std::string why = answer.kind == SlotAnswer::Kind::yes ? callbacks_.held(target.service)
                                                               : "peers cannot carry the load: " + answer.guard.text;
        if (why.empty()) return begin(target, fault);
        context_.slots.release(target.service);
        not_before_ = context_.scheduler.now() + kAskAgain;
        asking_.clear();
        base::log::info("a fault drill does not begin", {{"service", target.service}, {"reason", why}});
        if (const auto told = std::exchange(asked_by_, nullptr))
          told(base::fail(base::Kind::unavailable, std::move(why)));
      },
      [](const Guard&) {});
}

void FaultDrills::begin(const FaultTarget& target, Fault fault) {
  asking_.clear();
  base::log::info("fault drill begins",
                  {{"service", target.service}, {"fault", std::string(to_string(fault))}, {"unit", target.unit}});
  running_ = std::make_unique<Running>(
      Running{FaultDrill(target, fault), FaultInjection(context_.scheduler, context_.systemd)});
  tick_ = context_.scheduler.after(kTick, [this] { tick(); });
  carry_out(running_->drill.begin(now()));
  callbacks_.on_change();
}

void FaultDrills::tick() {
  tick_ = context_.scheduler.after(kTick, [this] { tick(); });
  if (!running_ || running_->over) return;
  FaultDrill& drill = running_->drill;
  const std::string& service = drill.target().service;
  if (drill.may_be_stopped())
    for (const std::string& why : {callbacks_.ended(service), callbacks_.stopped(drill.target())})
      if (!why.empty() && drill.may_be_stopped()) carry_out(drill.stop(why, now()));
  on_delivery();
  carry_out(drill.wake(now()));
}

void FaultDrills::on_delivery() {
  if (!running_ || running_->over) return;
  carry_out(running_->drill.seen(callbacks_.untaken(), callbacks_.quiet(running_->drill.target().service), now()));
}

void FaultDrills::on_health(const std::string& service, bool up) {
  if (running_ && running_->drill.target().service == service) carry_out(running_->drill.health(up, now()));
}

void FaultDrills::on_evidence(const std::string& service) {
  if (running_ && running_->drill.target().service == service) carry_out(running_->drill.located(now()));
}

void FaultDrills::on_report(const model::RecoveryReport& report) {
  if (running_) carry_out(running_->drill.report(report, now()));
}

void FaultDrills::on_blocked(const std::string& service, const std::string& guard) {
  if (running_ && running_->drill.target().service == service) running_->drill.blocked(guard);
}

void FaultDrills::carry_out(const FaultDrill::Effects& effects) {
  const FaultTarget& target = running_->drill.target();
  const Fault fault = running_->drill.fault();
  for (const Effect effect : effects) switch (effect) {
      case Effect::commit:
        state_.commit({Change::put(Table::recoveries, open_key(target.service),
                                   to_json(OpenFault{target.service, target.unit, fault, now().wall}))},
                      [this](const base::Result<>& kept) {
                        if (running_) carry_out(running_->drill.durable(kept, now()));
                      });
        break;
      case Effect::inject:
        slot_.reset();
        context_.slots.release(target.service);
        callbacks_.begins(target, fault);
        running_->injection.inject(fault, target.unit, [this](const base::Result<>& there) {
          if (there) base::log::warn("a fault is rehearsed", {{"service", running_->drill.target().service}});
          carry_out(running_->drill.injected(there, now()));
        });
        if (const auto done = std::exchange(asked_by_, nullptr))
          done(fmt::format(
              "the drill {} of {} has begun; fettle drills {} shows what comes of it. fettle maintenance on "
              "{} ends it",
              to_string(fault), target.service, target.service, target.service));
        break;
      case Effect::tell:
        callbacks_.tell(target.service, fmt::format("DRILL: {} is rehearsed at {}; nothing has to be done",
                                                    to_string(fault), target.service));
        break;
      case Effect::undo: undo_running(); break;
      case Effect::forget:
        callbacks_.is_over(target, fault);
        state_.commit({Change::remove(Table::recoveries, open_key(target.service))}, [](const base::Result<>&) {});
        break;
      case Effect::close: close(); return;
    }
  if (!effects.empty()) callbacks_.on_change();
}

void FaultDrills::undo_running() {
  const FaultTarget& target = running_->drill.target();
  const Fault fault = running_->drill.fault();
  if ((fault == Fault::kill || fault == Fault::refuse) && !callbacks_.stopped(target).empty()) {
    running_->again = context_.scheduler.after({}, [this] { carry_out(running_->drill.undone(now())); });
    return;
  }
  running_->injection.undo(fault, target.unit, [this](const base::Result<>& undone) {
    if (undone) return carry_out(running_->drill.undone(now()));
    if (!std::exchange(running_->complained, true))
      base::log::warn("a rehearsed fault is not undone yet; it is tried again and again",
                      {{"service", running_->drill.target().service}, {"error", undone.error().text}});
    running_->again = context_.scheduler.after(kUndoAgain, [this] { undo_running(); });
  });
}

void FaultDrills::close() {
  running_->over = true;
  const std::string service = running_->drill.target().service;
  const Fault fault = running_->drill.fault();
  FaultRecord& record = record_of(service, fault);
  record.last = running_->drill.report();
  if (record.last.result != FaultResult::interrupted) record.succeeded = record.last.result == FaultResult::passed;
  if (record.last.result == FaultResult::passed) record.last_success = record.last.ended;
  state_.commit({Change::put(Table::recoveries, record_key(service, fault), to_json(record))},
                [](const base::Result<>&) {});
  if (const auto done = std::exchange(asked_by_, nullptr)) done(base::fail(base::Kind::unavailable, record.last.text));
  slot_.reset();
  callbacks_.on_report(service, fault, record.last);
  // In a later turn: it is being called.
  retired_ = context_.scheduler.after({}, [this] {
    running_.reset();
    tick_.reset();
    if (const auto finished = std::exchange(finished_, nullptr)) finished();
    callbacks_.on_change();
  });
}

std::optional<Fault> FaultDrills::rehearsed(const std::string& service) const {
  if (running_ && running_->drill.target().service == service) return running_->drill.fault();
  if (const auto left = left_.find(service); left != left_.end()) return left->second->open.fault;
  return std::nullopt;
}

void FaultDrills::finish(std::function<void()> done) {
  timer_.reset();
  if (!running_) return done();
  finished_ = std::move(done);
  last_ = context_.scheduler.after(kLast, [this] {
    if (const auto finished = std::exchange(finished_, nullptr)) finished();
  });
  if (!running_->over) carry_out(running_->drill.stop("the agent ended in the middle of it", now()));
}

std::vector<FaultDrillStatus> FaultDrills::statuses() const {
  std::map<std::pair<std::string, Fault>, FaultDrillStatus> out;
  for (const auto& [key, record] : records_) out[key] = {key.first, key.second, "", record, "", {}, {}};
  for (const ConfiguredFault& spec : configured_) {
    FaultDrillStatus& status = out[{spec->service, spec->fault}];
    status.name = spec->name;
    status.due = due_at(*spec, status.record);
    status.must_pass_by = status.record.last_success.value_or(status.record.known_since) + spec->longest_without();
  }
  const auto says = [&](const std::string& service, Fault fault, std::string doing) {
    FaultDrillStatus& status = out[{service, fault}];
    status.service = service;
    status.fault = fault;
    status.doing = std::move(doing);
    status.due.reset();
  };
  if (running_ && !running_->over)
    says(running_->drill.target().service, running_->drill.fault(), running_->drill.doing());
  for (const auto& [service, left] : left_) says(service, left->open.fault, "undoes what an earlier agent left");
  std::vector<FaultDrillStatus> list;
  for (auto& [key, status] : out) list.push_back(std::move(status));
  return list;
}

}  // namespace recover
