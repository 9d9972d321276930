#include "recover/drill/drills.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "loop/scheduler.h"
#include "state/state.h"

namespace recover {
namespace {

using namespace std::chrono_literals;
using state::Change;
using state::Table;

constexpr std::string_view kPrefix = "drill/";
constexpr auto kLookEvery = 10s;
constexpr int kLastTries = 20, kLastPause = 20;  // milliseconds
constexpr base::Millis kAfterFailure{86'400'000};
constexpr base::Millis kAfterInterruption{600'000};

}  // namespace

base::WallTime due_at(const DrillSpec& spec, const DrillRecord& record) {
  const base::Millis every = between_drills(spec.every, !spec.windows.empty());
  switch (record.last.result) {
    case DrillResult::none: return record.known_since;
    case DrillResult::verified: return record.last.started + every;
    case DrillResult::interrupted: return record.last.ended + kAfterInterruption;
    default: return record.last.started + std::min(every, kAfterFailure);
  }
}

Drills::Drills(DrillContext context, state::State& state, DrillCallbacks callbacks)
    : context_(context), state_(state), callbacks_(std::move(callbacks)) {}

Drills::~Drills() {
  if (!run_) return;
  run_.reset();  // its programs are killed, and may write until they are gone
  base::Result<bool> gone = remove(scratch_);
  for (int tries = 0; !gone && tries < kLastTries; ++tries) {
    ::poll(nullptr, 0, kLastPause);
    gone = remove(scratch_);
  }
  if (!gone)
    base::log::warn("what a drill restored is removed at the next start",
                    {{"drill", running_}, {"error", gone.error().text}});
}

void Drills::replace(std::vector<Drill> drills) {
  std::map<std::string, Known> next;
  for (Drill& drill : drills) {
    const std::string name = drill->name;
    auto known = drills_.extract(name);
    const bool same_place = known && known.mapped().spec->scratch.folder == drill->scratch.folder;
    Known& added = next.emplace(name, known ? std::move(known.mapped()) : Known{}).first->second;
    added.spec = std::move(drill);
    added.cleaned = added.cleaned && same_place;
    if (!known) take_up(added);
  }
  drills_ = std::move(next);
  if (run_) run_->stop(DrillResult::interrupted, "the configuration was loaded again");
  if (drills_.empty()) timer_.reset();
  else timer_ = context_.scheduler.after({}, [this] { look(); });
}

// What is durable about it.
void Drills::take_up(Known& known) {
  const auto& table = state_.read(Table::recoveries);
  const auto found = table.find(std::string(kPrefix) + known.spec->name);
  const auto record =
      found == table.end() ? base::Result<DrillRecord>(DrillRecord{}) : parse_drill_record(found->second);
  if (record) known.record = *record;
  else base::log::error("the record of a drill cannot be read", {{"drill", known.spec->name}});
  const base::WallTime now = context_.scheduler.wall_now();
  if (known.record.known_since == base::WallTime{}) known.record.known_since = now;
  if (std::exchange(known.record.running, false)) {
    known.record.last = DrillReport{};
    known.record.last.result = DrillResult::interrupted;
    known.record.last.text = "the agent ended in the middle of it";
    known.record.last.started = known.record.last.ended = now;
  }
  keep(known);
}

void Drills::keep(const Known& known) {
  state_.commit(
      {Change::put(Table::recoveries, std::string(kPrefix) + known.spec->name, to_json(known.record))},
      [name = known.spec->name](const base::Result<>& kept) {
        if (!kept)
          base::log::error("could not write the record of a drill", {{"drill", name}, {"error", kept.error().text}});
      });
}

void Drills::look() {
  timer_ = context_.scheduler.after(kLookEvery, [this] { look(); });
  for (auto& [name, known] : drills_) {
    if (known.cleaned || name == running_ || known.cleaning) continue;
    const auto gone = std::make_shared<base::Result<bool>>(false);
    known.cleaning = context_.blocking_pool.run(
        {"drill " + name, "left in " + known.spec->scratch.folder},
        [gone, scratch = known.spec->scratch] { *gone = remove(scratch); },
        [this, gone, name = name](const base::Result<>& ran) {
          const auto at = drills_.find(name);
          if (at == drills_.end()) return;
          at->second.cleaned = ran.has_value();  // what stays is the failure of the next run
          if (ran && *gone && **gone)
            base::log::warn("what an earlier drill left was removed",
                            {{"drill", name}, {"folder", at->second.spec->scratch.folder}});
          if (ran && !*gone)
            base::log::error("what an earlier drill left cannot be removed",
                             {{"drill", name}, {"error", gone->error().text}});
          at->second.cleaning.reset();
          if (at->second.cleaned) timer_ = context_.scheduler.after({}, [this] { look(); });
        });
  }
  if (run_) return;
  const base::WallTime now = context_.scheduler.wall_now();
  Known* first = nullptr;
  for (auto& [name, known] : drills_) {
    const bool may = known.cleaned && due_at(*known.spec, known.record) <= now && known.spec->open(now);
    if (may && (first == nullptr || due_at(*known.spec, known.record) < due_at(*first->spec, first->record)))
      first = &known;
  }
  if (first != nullptr && callbacks_.busy().empty()) begin(*first);
}

void Drills::begin(Known& known) {
  running_ = known.spec->name;
  scratch_ = known.spec->scratch;
  known.record.running = true;
  keep(known);
  base::log::info("drill begins",
                  {{"drill", running_}, {"service", known.spec->service}, {"backup", known.spec->tool->text()}});
  run_ = std::make_unique<DrillRun>(context_, known.spec, [this, spec = known.spec](DrillReport report) {
    on_end(spec->name, std::move(report));
    callbacks_.on_change();
  });
  callbacks_.on_change();
}

void Drills::on_end(const std::string& name, DrillReport report) {
  // In a later turn: it is still being called.
  retired_ = context_.scheduler.after({}, [this] {
    run_.reset();
    running_.clear();
    callbacks_.on_change();
  });
  const auto found = drills_.find(name);
  if (found == drills_.end()) return;
  DrillRecord& record = found->second.record;
  record.running = false;
  if (report.result != DrillResult::interrupted) record.succeeded = report.result == DrillResult::verified;
  if (report.result == DrillResult::verified) record.proven = report;
  record.last = std::move(report);
  keep(found->second);
  callbacks_.on_report(*found->second.spec, record.last);
}

void Drills::interrupt(const std::string& why) {
  if (run_) run_->stop(DrillResult::interrupted, why);
}

base::Result<std::string> Drills::run(const std::string& name) {
  const auto found = drills_.find(name);
  if (found == drills_.end())
    return base::fail(base::Kind::not_found, fmt::format("there is no drill '{}' in the configuration", name));
  if (run_)
    return base::fail(base::Kind::unavailable, fmt::format("the drill {} is under way; one runs at a time", running_));
  if (const std::string why = callbacks_.busy(); !why.empty()) return base::fail(base::Kind::unavailable, why);
  if (found->second.cleaning)
    return base::fail(base::Kind::unavailable, "what an earlier drill left is being removed; try again in a moment");
  begin(found->second);
  return fmt::format("the drill {} has begun: {} is restored into {}; fettle drills shows what came of it", name,
                     found->second.spec->tool->text(), found->second.spec->scratch.folder);
}

std::vector<DrillStatus> Drills::statuses() const {
  std::vector<DrillStatus> out;
  for (const auto& [name, known] : drills_) {
    DrillStatus& status = out.emplace_back(DrillStatus{known.spec, known.record, "", {}, {}});
    if (run_ && name == running_) status.doing = run_->doing();
    else status.due = due_at(*known.spec, known.record);
    const base::WallTime since = known.record.proven ? known.record.proven->started : known.record.known_since;
    status.must_be_proven_by = since + known.spec->longest_without();
  }
  return out;
}

}  // namespace recover
