#include "notify/reach.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "loop/scheduler.h"

namespace notify {

namespace log = base::log;

Reach::Reach(loop::Scheduler& scheduler, std::string receiver, std::string target, std::function<std::size_t()> waiting)
    : scheduler_(scheduler), receiver_(std::move(receiver)), target_(std::move(target)), waiting_(std::move(waiting)) {}

std::string Reach::lasted() const {
  return base::format_duration(std::chrono::duration_cast<base::Millis>(scheduler_.now() - *since_));
}

std::optional<base::WallTime> Reach::failing_since() const {
  if (!since_) return std::nullopt;
  return scheduler_.wall_now() - std::chrono::duration_cast<base::Millis>(scheduler_.now() - *since_);
}

void Reach::failed(const std::string& error) {
  ++failures_;
  last_error_ = error;
  if (since_) return;
  since_ = scheduler_.now();
  log::warn("notifications do not get through; they are kept and tried again",
            {{"receiver", receiver_}, {"target", target_}, {"error", error}});
  timer_ = scheduler_.after(kSayAgain, [this] { say_again(); });
}

void Reach::say_again() {
  if (const std::size_t waiting = waiting_(); waiting > 0)
    log::warn("notifications still do not get through", {{"receiver", receiver_},
                                                         {"target", target_},
                                                         {"for", lasted()},
                                                         {"failures", fmt::to_string(failures_)},
                                                         {"waiting", fmt::to_string(waiting)},
                                                         {"error", last_error_}});
  timer_ = scheduler_.after(kSayAgain, [this] { say_again(); });
}

void Reach::taken(Rest rest) {
  last_taken_ = scheduler_.wall_now();
  if (!since_ || rest == Rest::fails) return;
  log::info("notifications get through again", {{"receiver", receiver_},
                                                {"target", target_},
                                                {"after", lasted()},
                                                {"failures", fmt::to_string(failures_)},
                                                {"waiting", fmt::to_string(waiting_())}});
  since_.reset();
  failures_ = 0;
  last_error_.clear();
  timer_.reset();
}

}  // namespace notify
