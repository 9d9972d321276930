#include "cluster/acquisition.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "loop/scheduler.h"

namespace cluster {

using namespace std::chrono_literals;

Acquisition::Acquisition(loop::Scheduler& scheduler, base::Random& random, Store& store, const Lease& lease, Wish wish,
                         std::function<bool()> ready, std::function<void(const Reading&)> read,
                         std::function<void(Acquired)> done)
    : scheduler_(scheduler),
      random_(random),
      store_(store),
      lease_(lease),
      wish_(std::move(wish)),
      ready_(std::move(ready)),
      read_(std::move(read)),
      done_(std::move(done)) {
  limit_ = scheduler_.at(wish_.deadline, [this] {
    end({Answered::unknown,
         {Brake::unknown, false,
          fmt::format("{} does not say whether a slot of {} is free{}{}", store_.name(), wish_.group.group,
                      trouble_.empty() ? "" : ": ", trouble_)}});
  });
  later([this] { this->read(); });
}

void Acquisition::read() {
  if (!ready_()) return later([this] { read(); });
  if (!lease_.holds()) {
    trouble_ = lease_.trouble().empty() ? "it has granted no lease yet" : lease_.trouble();
    return later([this] { read(); });
  }
  pending_ = store_.read(group_prefix(wish_.group.group), [this](const Answer<Reading>& answer) {
    if (answer.kind != Answered::yes) {
      trouble_ = answer.text;
      return later([this] { read(); });
    }
    read_(answer.value);
    const Group group = read_group(wish_.group.group, answer.value);
    if (taken_) check(group);
    else choose(group);
  });
}

const Judgement* Acquisition::closed(const std::vector<Judgement>& all) const {
  for (const Judgement& each : all)
    if (!each.open && !(each.brake == Brake::panic && wish_.by_person)) return &each;
  return nullptr;
}

void Acquisition::choose(const Group& group) {
  std::vector<int> taken;
  for (const Holder& holder : group.holders) {
    if (holder.lease == lease_.id() && holder.who == wish_.who) {
      slot_ = holder.slot;  // of this run, before a crash; or of one before it
      return take();
    }
    taken.push_back(holder.slot);
  }
  const std::vector<Judgement> all = judge(wish_.group, group, wish_.who);
  if (const Judgement* why = closed(all)) return end({Answered::no, *why});
  for (slot_ = 0; std::find(taken.begin(), taken.end(), slot_) != taken.end();) ++slot_;
  if (slot_ < wish_.group.max_concurrent) return take();
  slot_ = -1;
  end({Answered::no, {Brake::busy, false, "an agent of this node before this one has the slot until its lease ends"}});
}

void Acquisition::take() {
  if (!lease_.holds()) return later([this] { take(); });
  const Holder holder{slot_, wish_.who, wish_.recovery, scheduler_.wall_now()};
  asked_ = true;
  pending_ = store_.take(slot_key(wish_.group.group, slot_), holder_value(holder), lease_.id(),
                         [this](const Answer<std::uint64_t>& answer) {
                           taken_ = answer.kind == Answered::yes;
                           if (taken_) return read();
                           trouble_ = answer.text;
                           if (answer.kind == Answered::unknown) return later([this] { take(); });
                           asked_ = false;
                           constexpr int kMost = 5;
                           if (++losses_ < kMost) return later([this] { read(); });
                           end({Answered::no, {Brake::busy, false, "other agents were faster, again and again"}});
                         });
}

void Acquisition::check(const Group& group) {
  const auto own = std::find_if(group.holders.begin(), group.holders.end(), [this](const Holder& holder) {
    return holder.slot == slot_ && holder.lease == lease_.id() && holder.who == wish_.who;
  });
  if (own == group.holders.end()) {
    taken_ = asked_ = false;
    return choose(group);
  }
  const std::vector<Judgement> all = judge(wish_.group, group, wish_.who, own->fence);
  if (const Judgement* why = closed(all)) return give_back(*why);
  if (!lease_.holds()) return later([this] { read(); });
  store_.acts(slot_key(wish_.group.group, slot_));
  end({Answered::yes, all.back(), "", store_.locks() ? own->fence : 0});
}

// One that cannot be given back now, the owner gives back.
void Acquisition::give_back(Judgement why) {
  pending_ = store_.drop(slot_key(wish_.group.group, slot_), lease_.id(),
                         [this, why = std::move(why)](const Answer<Nothing>& answer) {
                           asked_ = answer.kind == Answered::unknown;
                           end({Answered::no, why});
                         });
}

void Acquisition::later(std::function<void()> what) {
  pending_ = scheduler_.after(base::Millis(20 + random_.below(180)), std::move(what));
}

void Acquisition::end(Acquired acquired) {
  acquired.key = asked();
  const auto done = std::move(done_);
  done(std::move(acquired));
}

}  // namespace cluster
