#include "cluster/lease.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <utility>

#include "loop/scheduler.h"

namespace cluster {

using namespace std::chrono_literals;

BootTime SinceBoot::now() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return BootTime(std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec});
}

Lease::Lease(loop::Scheduler& scheduler, BootClock clock, Store& store, base::Millis ttl, Callbacks callbacks)
    : scheduler_(scheduler), clock_(std::move(clock)), store_(store), ttl_(ttl), callbacks_(std::move(callbacks)) {}

void Lease::begin(const std::string& remembered) {
  id_ = remembered;
  try_now();
}

void Lease::look() {
  if (held_ && clock_() >= until_)
    lose(fmt::format("no renewal of the lease was confirmed within {}", base::format_duration(ttl_ * 2 / 3)));
}

void Lease::try_now() {
  look();
  if (id_.empty()) grant();
  else renew();
}

void Lease::grant() {
  pending_ = store_.grant(ttl_, [this, sent = clock_()](const Answer<std::string>& answer) {
    if (answer.kind == Answered::yes) {
      id_ = answer.value;
      return confirmed(sent);
    }
    again_after(next_pause());
    answered(answer.text);
  });
}

void Lease::renew() {
  pending_ = store_.renew(id_, [this, sent = clock_()](const Answer<Nothing>& answer) {
    if (answer.kind == Answered::yes) return confirmed(sent);
    if (answer.kind == Answered::no) {
      id_.clear();
      if (held_) lose(answer.text);
      return again_after(0s);
    }
    again_after(next_pause());
    answered(answer.text);
  });
}

void Lease::confirmed(BootTime sent) {
  failures_ = 0;
  until_ = sent + ttl_ * 2 / 3;
  const base::Duration gone = clock_() - sent;
  const base::Duration left = std::max<base::Duration>(ttl_ * 2 / 3 - gone, 0s);
  end_ = scheduler_.after(left, [this] { look(); });
  again_after(std::max<base::Duration>(ttl_ / 3 - gone, 0s));
  const bool was_held = std::exchange(held_, true);
  if (clock_() >= until_) return look();  // the answer took too long
  if (!was_held) callbacks_.held();
  answered("");
}

void Lease::answered(const std::string& trouble) {
  if (std::exchange(trouble_, trouble) != trouble) callbacks_.trouble();
}

void Lease::lose(const std::string& why) {
  held_ = false;
  failures_ = 0;
  end_.reset();
  callbacks_.lost(why);
}

void Lease::again_after(base::Duration delay) {
  retry_ = scheduler_.after(delay, [this] { try_now(); });
}

// While the lease holds, every try counts; after that, those who wait for the store do not press it.
base::Duration Lease::next_pause() {
  ++failures_;
  if (held_) return 200ms;
  return std::min<base::Duration>(1s * failures_, 5s);
}

}  // namespace cluster
