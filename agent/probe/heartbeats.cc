#include "probe/heartbeats.h"

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "base/text.h"
#include "loop/scheduler.h"
#include "model/outcome.h"

namespace probe {
namespace {

constexpr std::string_view kPadding(" \n\r\0", 4);

// Anybody who may write to the socket may make names up; memory stays bounded.
constexpr std::size_t kServices = 1000;

// Of the time that a service has for a beat: an agent that lost as much of it may have lost the beat.
constexpr int kLostShare = 4;

// What sd_notify's lines say; only the keys that concern a heartbeat.
struct Notice {
  std::string service;
  std::string status;
  bool failed = false;  // ERRNO other than 0, WATCHDOG=trigger, STOPPING=1
};

Notice read_notice(std::string_view datagram) {
  Notice notice;
  while (!datagram.empty()) {
    const std::string_view line = base::take_line(datagram);
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view key = line.substr(0, equals);
    const std::string_view value = line.substr(equals + 1);
    if (key == "SERVICE") notice.service = value;
    else if (key == "STATUS") notice.status = value;
    else if (key == "ERRNO") notice.failed = notice.failed || value != "0";
    else if (key == "WATCHDOG") notice.failed = notice.failed || value == "trigger";
    else if (key == "STOPPING") notice.failed = notice.failed || value == "1";
  }
  return notice;
}

}  // namespace

struct Heartbeats::Watcher final : loop::Registration {
  Watcher(Heartbeats& o, std::multimap<std::string, std::function<void(const Beat&)>*>::iterator p,
          std::unique_ptr<std::function<void(const Beat&)>> c)
      : owner(o), place(p), call(std::move(c)) {}
  ~Watcher() override {
    const std::string service = place->first;
    owner.watchers_.erase(place);
    if (owner.watchers_.contains(service)) return;
    owner.awaited_.erase(service);  // no probe watches its beats any more
    owner.silences_.erase(service);
  }
  Heartbeats& owner;
  std::multimap<std::string, std::function<void(const Beat&)>*>::iterator place;
  std::unique_ptr<std::function<void(const Beat&)>> call;
};

struct Heartbeats::Restriction final : loop::Registration {
  Restriction(Heartbeats& o, std::multimap<std::string, BeatSenders>::iterator p) : owner(o), place(p) {}
  ~Restriction() override { owner.restrictions_.erase(place); }
  Heartbeats& owner;
  std::multimap<std::string, BeatSenders>::iterator place;
};

loop::Handle Heartbeats::restrict(const std::string& service, BeatSenders senders) {
  return loop::Handle(std::make_unique<Restriction>(*this, restrictions_.emplace(service, std::move(senders))));
}

// A sender that has ended already is judged by its user alone: a script that sends one datagram is gone by now.
bool Heartbeats::may_beat(const std::string& service, const BeatSender& sender) const {
  if (sender.user == 0) return true;
  const auto [begin, end] = restrictions_.equal_range(service);
  return std::all_of(begin, end, [&](const auto& entry) {
    const BeatSenders& senders = entry.second;
    if (senders.user) return sender.user == *senders.user;
    if (senders.unit.empty()) return true;
    if (os::is_in_unit(sender.process, senders.unit, kernel_).value_or(false)) return true;
    const auto users = os::users_of_unit(senders.unit, kernel_);
    return !users || users->contains(sender.user);
  });
}

Heartbeats::Received Heartbeats::receive(std::string_view datagram, const BeatSender& sender) {
  datagram = base::trim(datagram, kPadding);
  const std::size_t first_end = std::min(datagram.find_first_of(" \n"), datagram.size());
  const std::string_view first = datagram.substr(0, first_end);
  Notice notice;
  if (first.find('=') != std::string_view::npos) {
    notice = read_notice(datagram);
  } else {
    std::string_view rest = base::trim(datagram.substr(first_end), kPadding);
    notice.service = first;
    notice.failed = rest == "fail" || rest.starts_with("fail ");
    if (notice.failed) rest = base::trim(rest.substr(4), kPadding);
    notice.status = rest;
  }
  if (notice.service.empty()) return Received::no_name;
  if (!may_beat(notice.service, sender)) return Received::wrong_sender;
  beat(notice.service, notice.failed, std::move(notice.status));
  return Received::beat;
}

void Heartbeats::beat(const std::string& service, bool failed, std::string text) {
  // Names that a probe waits for have their room, whatever others send before.
  const bool awaited = watchers_.contains(service) || awaited_.contains(service);
  if (!awaited && beats_.size() >= kServices && !beats_.contains(service)) return;
  Beat& beat = beats_[service];
  beat = {scheduler_.now(), scheduler_.wall_now(), failed, base::foreign_text(text, model::kTextLimit)};
  if (awaited) silences_.insert_or_assign(service, Silence{beat.at, scheduler_.stalled()});
  // A watcher may drop itself or another one: look up the next by place, not by an iterator that may be gone.
  const auto [begin, end] = watchers_.equal_range(service);
  std::vector<const std::function<void(const Beat&)>*> calls;
  for (auto it = begin; it != end; ++it) calls.push_back(it->second);
  for (const auto* call : calls) {
    const auto [now_begin, now_end] = watchers_.equal_range(service);
    const bool held = std::any_of(now_begin, now_end, [&](const auto& entry) { return entry.second == call; });
    if (!held) continue;
    const auto alive = *call;  // the call may drop its own Handle
    alive(beat);
  }
}

void Heartbeats::hear() {
  trouble_.clear();
  beats_.clear();
  silences_.clear();
  for (auto& [service, since] : awaited_) since = scheduler_.now();
}

std::optional<Beat> Heartbeats::last(const std::string& service) const {
  const auto found = beats_.find(service);
  if (found == beats_.end()) return std::nullopt;
  return found->second;
}

base::Instant Heartbeats::awaited_since(const std::string& service) {
  return awaited_.try_emplace(service, scheduler_.now()).first->second;
}

base::Instant Heartbeats::silent_since(const std::string& service, base::Duration allowed) {
  const std::optional<Beat> beat = last(service);
  const base::Duration stalled = scheduler_.stalled();
  Silence& silence =
      silences_.try_emplace(service, Silence{beat ? beat->at : awaited_since(service), stalled}).first->second;
  if ((stalled - silence.stalled) * kLostShare >= allowed) silence = {scheduler_.now(), stalled};
  return silence.since;
}

loop::Handle Heartbeats::watch(const std::string& service, std::function<void(const Beat&)> on_beat) {
  auto call = std::make_unique<std::function<void(const Beat&)>>(std::move(on_beat));
  const auto place = watchers_.emplace(service, call.get());
  return loop::Handle(std::make_unique<Watcher>(*this, place, std::move(call)));
}

}  // namespace probe
