#include "notify/feed.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "loop/scheduler.h"
#include "notify/group.h"
#include "notify/retry.h"

namespace notify {
namespace {

constexpr base::Millis kSuspectsGap{30'000};
constexpr int kPatience = 4;  // failures in a row before alerts that failed wait for each other

bool same_picture(const model::Alert& a, const model::Alert& b) {
  return a.state == b.state && a.active_at == b.active_at && a.fired_at == b.fired_at &&
         a.resolved_at == b.resolved_at && a.annotations == b.annotations;
}

// The alerts that were posted may be the reason, not the target.
bool blames_the_alerts(const Sent& sent) { return sent.blame == Blame::message || sent.status == 500; }

}  // namespace

Feed::Feed(std::string receiver, const Notifier& notifier, std::size_t target, base::Millis timeout, Context context,
           base::Random& random, Events events)
    : notifier_(notifier),
      target_(target),
      timeout_(timeout),
      context_(context),
      random_(random),
      events_(std::move(events)),
      name_(notifier.targets().at(target)),
      reach_(context.scheduler, std::move(receiver), name_, [this] { return owed(); }) {}

void Feed::put(const std::string& group, const model::Alert& alert) {
  const auto [it, fresh] = entries_.try_emplace(alert.labels);
  Entry& entry = it->second;
  if (!fresh && same_picture(entry.alert, alert)) return;
  if (!fresh && start_ms(entry.alert) != start_ms(alert)) entry.taken = false;
  entry.group = group;
  entry.alert = alert;
  entry.version = ++versions_;
  entry.due = context_.scheduler.now();
  entry.owed = true;
  entry.failures = 0;
  soon();
}

void Feed::remove(const model::Labels& alert) { entries_.erase(alert); }

std::size_t Feed::owed() const {
  return static_cast<std::size_t>(
      std::count_if(entries_.begin(), entries_.end(), [](const auto& entry) { return entry.second.owed; }));
}

// In a later turn, so that everything that changes in this one goes together.
void Feed::soon() {
  if (std::exchange(soon_, true)) return;
  timer_ = context_.scheduler.after({}, [this] { pump(); });
}

base::Instant Feed::allowed(const Entry& entry) const {
  return std::max({entry.due, pause_, entry.failures > 0 ? suspects_pause_ : pause_});
}

void Feed::pump() {
  const loop::Handle own = std::move(timer_);
  soon_ = false;
  if (sending_) return;
  const base::WallTime wall = context_.scheduler.wall_now();
  std::erase_if(entries_, [&](const auto& entry) {
    const model::Alert& alert = entry.second.alert;
    return alert.state != model::AlertState::firing &&
           alert.resolved_at.value_or(alert.active_at) + Group::kKeepResolved <= wall;
  });
  if (const auto chosen = batch(); !chosen.empty()) return send(chosen);
  base::Instant next = base::Instant::max();
  for (const auto& [labels, entry] : entries_) next = std::min(next, allowed(entry));
  if (next != base::Instant::max()) timer_ = context_.scheduler.at(next, [this] { pump(); });
}

// Those that are due, the longest due first; and with them those that soon will be. Alerts that failed go in smaller
// and smaller batches, apart from the others, until the one that is refused stands alone.
std::vector<Feed::Entries::iterator> Feed::batch() {
  const base::Instant now = context_.scheduler.now();
  std::vector<Entries::iterator> out;
  bool any_due = false;
  for (auto it = entries_.begin(); it != entries_.end(); ++it) {
    const bool due = allowed(it->second) <= now;
    any_due = any_due || due;
    if (due || (it->second.failures == 0 && allowed(it->second) <= now + notifier_.resend() / 10)) out.push_back(it);
  }
  if (!any_due) return {};
  const auto rank = [](Entries::iterator it) {
    return std::tuple(it->second.failures, it->second.due, it->second.version);
  };
  std::sort(out.begin(), out.end(), [&](auto a, auto b) { return rank(a) < rank(b); });
  const int failures = out.front()->second.failures;
  const std::size_t most = std::max<std::size_t>(kBatch >> (2 * std::min(failures, 3)), 1);
  const auto end = std::find_if(out.begin(), out.end(), [&](auto it) { return it->second.failures != failures; });
  out.erase(end, out.end());
  if (out.size() > most) out.resize(most);
  return out;
}

void Feed::send(const std::vector<Entries::iterator>& chosen) {
  std::vector<model::Alert> alerts;
  posted_.clear();
  for (const auto it : chosen) {
    alerts.push_back(it->second.alert);
    const bool firing = it->second.alert.state == model::AlertState::firing;
    posted_.push_back(
        {{it->second.group, it->first, firing, start_ms(it->second.alert), Fate::unknown}, it->second.version});
  }
  posted_at_ = context_.scheduler.now();
  const Message message{"", events_.render(alerts), context_.scheduler.wall_now()};
  sending_ =
      notifier_.send(context_, target_, message, posted_at_ + timeout_, [this](const Sent& sent) { answered(sent); });
}

void Feed::answered(const Sent& sent) {
  const loop::Handle ended = std::move(sending_);
  if (sent.fate == Fate::taken) taken();
  else failed(sent);
  over(sent.fate);
  soon();
}

void Feed::taken() {
  streak_ = 0;
  pause_ = suspects_pause_ = {};
  for (const Posted& each : posted_) {
    if (const auto it = entries_.find(each.told.alert); it != entries_.end() && it->second.version == each.version) {
      it->second.due = posted_at_ + notifier_.resend();
      it->second.owed = false;
      it->second.taken = true;
      it->second.failures = 0;
    }
  }
  const bool some_fail =
      std::any_of(entries_.begin(), entries_.end(), [](const auto& entry) { return entry.second.failures > 0; });
  reach_.taken(some_fail ? Reach::Rest::fails : Reach::Rest::fine);
  events_.on_result(SendResult::sent);
}

void Feed::over(Fate fate) {
  std::vector<Told> told;
  for (Posted& each : posted_) {
    each.told.fate = fate;
    told.push_back(std::move(each.told));
  }
  posted_.clear();
  events_.on_told(told);
}

bool Feed::took(const model::Labels& alert) const {
  const auto found = entries_.find(alert);
  return found != entries_.end() && found->second.taken;
}

bool Feed::posting(const std::string& group) const {
  return std::any_of(posted_.begin(), posted_.end(), [&](const Posted& each) { return each.told.group == group; });
}

void Feed::failed(const Sent& sent) {
  const base::Instant now = context_.scheduler.now();
  const base::Duration most = notifier_.resend();  // so that no alert ends by itself because we wait
  const auto wait = [&](int failures) {
    return std::min(std::max<base::Duration>(sent.retry_after, retry_delay(failures, random_.unit(), {})), most);
  };
  reach_.failed(sent.text);
  events_.on_result(sent.fate == Fate::refused ? SendResult::refused : SendResult::retried);
  for (const Posted& each : posted_) {
    if (const auto it = entries_.find(each.told.alert);
        blames_the_alerts(sent) && it != entries_.end() && it->second.version == each.version)
      it->second.due = now + wait(it->second.failures++);
  }
  if (!blames_the_alerts(sent)) pause_ = now + wait(streak_);
  else if (streak_ >= kPatience)
    suspects_pause_ = now + std::min<base::Duration>(wait(streak_ - kPatience), kSuspectsGap);
  ++streak_;
}

}  // namespace notify
