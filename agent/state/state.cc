#include "state/state.h"

#include <fmt/format.h>

#include <deque>
#include <memory>
#include <utility>

#include "loop/scheduler.h"
#include "state/database_file.h"
#include "state/folder_lock.h"
#include "state/records.h"
#include "state/writer.h"

namespace state {
namespace {

// Callbacks are posted; one that is still in the loop's queue when its State goes must not run.
class Deliveries {
 public:
  std::function<bool()> still_wanted() const {
    return [alive = std::weak_ptr<const bool>(alive_)] { return !alive.expired(); };
  }

 private:
  std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
};

class FileState final : public State {
 public:
  FileState(DatabaseFile file, Records records, loop::Scheduler& loop, std::function<void(base::Duration)> committed)
      : loop_(loop),
        committed_(std::move(committed)),
        records_(std::move(records)),
        trouble_(file.trouble()),
        damage_(file.damage()),
        writer_(
            std::move(file),
            [this, &loop, wanted = deliveries_.still_wanted()](std::vector<Call> calls) {
              loop.post([this, wanted, calls = std::move(calls)]() mutable {
                for (Call& call : calls)
                  if (wanted()) settle(call);
              });
            },
            [this, &loop, wanted = deliveries_.still_wanted()](std::string trouble, std::size_t damaged_files) {
              loop.post([this, wanted, trouble = std::move(trouble), damaged_files] {
                if (!wanted()) return;
                trouble_ = trouble;
                damage_.files = damaged_files;
              });
            }) {}

  base::Result<> begin() { return writer_.begin(); }

  void commit(std::vector<Change> changes, std::function<void(base::Result<>)> durable) override {
    if (asked_.size() >= kMostWaiting) return refuse(std::move(durable));
    const std::uint64_t number = ++calls_;
    records_.begin(number, changes);
    asked_.push_back(loop_.now());
    writer_.add({number, std::move(changes), std::move(durable), {}, asked_.back()});
  }

  const std::map<std::string, std::string>& read(Table table) const override { return records_.table(table); }
  const std::string& trouble() const override {
    static const std::string slow = fmt::format("the disk of the state folder has not answered for {} s or longer",
                                                std::chrono::seconds(kSlow).count());
    return trouble_.empty() && !asked_.empty() && loop_.now() - asked_.front() >= kSlow ? slow : trouble_;
  }
  Damage damage() const override { return damage_; }

 private:
  // A disk that does not answer must not fill the memory.
  static constexpr std::size_t kMostWaiting = 10'000;

  void refuse(std::function<void(base::Result<>)> durable) {
    if (!durable) return;
    loop_.post([wanted = deliveries_.still_wanted(), durable = std::move(durable)] {
      if (wanted())
        durable(base::fail(base::Kind::limit, fmt::format("{} changes wait for the disk already", kMostWaiting)));
    });
  }

  void settle(Call& call) {
    asked_.pop_front();
    trouble_ = call.result ? "" : call.result.error().text;
    if (call.result && committed_) committed_(loop_.now() - call.asked);
    if (call.result) records_.keep(call.number, call.changes);
    else records_.take_back(call.number, call.changes);
    if (call.durable) call.durable(std::move(call.result));
  }

  loop::Scheduler& loop_;
  const std::function<void(base::Duration)> committed_;
  Records records_;
  std::string trouble_;
  Damage damage_;
  std::uint64_t calls_ = 0;
  std::deque<base::Instant> asked_;  // of the calls that wait, oldest first
  Deliveries deliveries_;
  Writer writer_;  // last: its thread ends before anything that it uses goes
};

class MemoryState final : public State {
 public:
  explicit MemoryState(loop::Scheduler& loop) : loop_(loop) {}

  void commit(std::vector<Change> changes, std::function<void(base::Result<>)> durable) override {
    records_.begin(++calls_, changes);
    records_.keep(calls_, changes);
    if (!durable) return;
    loop_.post([wanted = deliveries_.still_wanted(), durable = std::move(durable)] {
      if (wanted()) durable({});
    });
  }

  const std::map<std::string, std::string>& read(Table table) const override { return records_.table(table); }
  const std::string& trouble() const override { return trouble_; }

 private:
  loop::Scheduler& loop_;
  const std::string trouble_;  // of a disk; there is none
  Records records_;
  std::uint64_t calls_ = 0;
  Deliveries deliveries_;
};

}  // namespace

base::Result<std::unique_ptr<State>> open(const std::string& folder, loop::Scheduler& loop, std::string& notice,
                                          std::function<void(base::Duration)> committed) {
  FolderLock lock(folder);
  if (const auto held = lock.hold(); !held && held.error().kind == base::Kind::unavailable)
    return tl::unexpected<base::Error>(held.error());
  DatabaseFile file(folder + "/fettle.db", std::move(lock));
  Records records;
  notice = file.open(
      [&](Table table, std::string key, std::string value) { records.load(table, std::move(key), std::move(value)); },
      loop.wall_now());
  auto state = std::make_unique<FileState>(std::move(file), std::move(records), loop, std::move(committed));
  TRY_VOID(state->begin());
  return std::unique_ptr<State>(std::move(state));
}

std::unique_ptr<State> in_memory(loop::Scheduler& loop) { return std::make_unique<MemoryState>(loop); }

}  // namespace state
