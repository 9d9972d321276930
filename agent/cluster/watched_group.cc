#include "cluster/watched_group.h"

#include <algorithm>
#include <utility>

#include "loop/scheduler.h"

namespace cluster {

using namespace std::chrono_literals;

WatchedGroup::WatchedGroup(loop::Scheduler& scheduler, base::Random& random, Store& store, std::string group,
                           std::function<void()> changed)
    : scheduler_(scheduler), random_(random), store_(store), name_(std::move(group)), changed_(std::move(changed)) {
  read();
}

void WatchedGroup::know(const Reading& reading) {
  group_ = read_group(name_, reading);
  known_ = true;
  ++readings_;
}

void WatchedGroup::hurry() {
  if (failures_ > 0) pause_ = scheduler_.after(base::Millis(random_.below(500)), [this] { read(); });
}

void WatchedGroup::read() {
  pause_.reset();
  pending_ = store_.read(group_prefix(name_), [this](const Answer<Reading>& answer) {
    if (answer.kind != Answered::yes) return again(answer.text);
    failures_ = 0;
    index_ = answer.value.index;
    know(answer.value);
    watch();
    changed_();
  });
}

void WatchedGroup::watch() {
  pending_ = store_.watch(group_prefix(name_), index_, [this](const Answer<Nothing>& answer) {
    if (answer.kind != Answered::yes) return again(answer.text);
    pause_ = scheduler_.after(50ms + base::Millis(random_.below(450)), [this] { read(); });
  });
}

void WatchedGroup::again(const std::string&) {
  const base::Millis pause = std::min<base::Millis>(1s * (1 << std::min(failures_++, 5)), 30s);
  pause_ = scheduler_.after(pause / 2 + base::Millis(random_.below(static_cast<std::uint64_t>(pause.count() / 2))),
                            [this] { read(); });
}

}  // namespace cluster
