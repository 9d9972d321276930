#include "notify/outbox.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>

#include "base/log.h"
#include "base/number.h"
#include "loop/scheduler.h"
#include "notify/group.h"
#include "notify/retry.h"
#include "state/state.h"

namespace notify {
namespace {

using nlohmann::json;
using state::Change;
using state::Table;

constexpr base::Millis kLongestGap{30'000};    // between retries of a receiver that is away
constexpr base::Millis kLongestQuiet{60'000};  // for all groups, because one got 503 with Retry-After
constexpr int kBodyFailures = 9;               // eight minutes
constexpr int kMostCalls = 9;

}  // namespace

Outbox::Outbox(std::string receiver, std::string id, Context context, state::State& state, base::Random& random,
               Events events)
    : name_(std::move(receiver)),
      id_(std::move(id)),
      context_(context),
      state_(state),
      random_(random),
      events_(std::move(events)),
      reach_(context.scheduler, name_, "", [this] { return size_; }) {}

Outbox::~Outbox() = default;

std::string Outbox::key(std::uint64_t number) const { return fmt::format("{}{:016}", prefix(id_), number); }

void Outbox::use(const Notifier* notifier, base::Millis timeout) {
  notifier_ = notifier;
  timeout_ = timeout;
  reach_.rename(notifier->targets().front());
  in_flight_ = retrying_ = 0;
  streak_ = away_retries_ = 0;
  quiet_ = next_retry_ = {};
  for (auto& [group, lane] : lanes_) {
    if (lane.sending) lane.waiting.front().perhaps = true;
    lane.sending.reset();  // what was on its way with the old one is sent again with the same id
    lane.due = {};
    lane.calls = 0;
  }
  wake_ = context_.scheduler.after({}, [this] { pump(); });
}

void Outbox::restore(const std::string& record_key, const std::string& record) {
  Waiting entry;
  const std::string number = record_key.substr(std::min(record_key.size(), prefix(id_).size()));
  entry.number = base::leading_number<std::uint64_t>(number).value_or(entry.number);
  std::string group;
  try {
    const auto in = json::parse(record);
    entry.message = {in.at("id"), in.at("body"), base::wall_from_ms(in.at("created_ms").get<std::int64_t>())};
    group = in.at("group");
    if (in.contains("known"))
      if (auto known = parse_notified(in["known"].get<std::string>())) entry.known = *std::move(known);
  } catch (const json::exception& e) {
    base::log::error("a notification is lost: its record is unreadable", {{"receiver", name_}, {"error", e.what()}});
    state_.commit({Change::remove(Table::notifications, record_key)}, [](base::Result<>) {});
    events_.on_dropped(DropReason::unreadable, 1);
    return;
  }
  entry.ready = entry.kept = entry.tried = entry.perhaps = true;  // the run before may have sent it
  next_number_ = std::max(next_number_, entry.number + 1);
  ++size_;
  lanes_[group].waiting.push_back(std::move(entry));
}

void Outbox::push(const std::string& group, Message message, std::optional<Notified> known, std::vector<Change> with) {
  Waiting entry;
  entry.number = next_number_++;
  entry.message = std::move(message);
  entry.known = std::move(known);
  const std::uint64_t number = entry.number;
  if (events_.on_pushed) events_.on_pushed(group, entry.message.id);
  ++size_;
  std::deque<Waiting>& lane = lanes_[group].waiting;
  lane.push_back(std::move(entry));
  // With those before it that are not durable: after a restart it must not be the first that is heard of the group.
  for (const Waiting& each : lane)
    if (!each.kept) with.push_back(record(group, each));
  writing_.emplace(number, context_.scheduler.after(kDiskPatience, [this, group, number] {
    written(std::string(group), number, Written::late, "the disk does not answer");
  }));
  state_.commit(std::move(with), [this, still = std::weak_ptr(alive_), number, group](const base::Result<>& result) {
    if (!still.expired())
      written(group, number, result ? Written::yes : Written::no, result ? "" : result.error().text);
  });
}

Change Outbox::record(const std::string& group, const Waiting& entry) const {
  json out{{"id", entry.message.id},
           {"body", entry.message.body},
           {"group", group},
           {"created_ms", base::to_ms(entry.message.created)}};
  if (entry.known) out["known"] = to_json(*entry.known);
  return Change::put(Table::notifications, key(entry.number), out.dump(-1, ' ', false, json::error_handler_t::replace));
}

// Better told and not kept than kept quiet.
void Outbox::written(const std::string& group, std::uint64_t number, Written how, const std::string& error) {
  const auto waited = writing_.extract(number);
  if (how != Written::yes && std::exchange(kept_, false))
    base::log::error("notifications cannot be written down; they are sent all the same, and lost if the agent ends",
                     {{"receiver", name_}, {"error", error}});
  if (how == Written::yes) kept_ = true;
  if (const auto lane = lanes_.find(group); lane != lanes_.end())
    for (Waiting& each : lane->second.waiting) {
      each.ready = each.ready || each.number == number;
      each.kept = each.kept || (how == Written::yes && each.number <= number);
    }
  pump();
}

const Notified* Outbox::expected(const std::string& group) const {
  const auto lane = lanes_.find(group);
  if (lane == lanes_.end()) return nullptr;
  for (auto each = lane->second.waiting.rbegin(); each != lane->second.waiting.rend(); ++each)
    if (each->known) return &*each->known;
  return nullptr;
}

bool Outbox::room(const std::string& group) const {
  const auto lane = lanes_.find(group);
  return size_ < kLimit && (lane == lanes_.end() || lane->second.waiting.size() < kLane);
}

std::optional<base::WallTime> Outbox::failing_since(const std::string& group) const {
  const auto lane = lanes_.find(group);
  if (lane == lanes_.end() || lane->second.failures == 0) return std::nullopt;
  return lane->second.waiting.front().message.created;
}

bool Outbox::refused(const std::string& group) const {
  const auto lane = lanes_.find(group);
  return lane != lanes_.end() && lane->second.refused && !lane->second.sending && !lane->second.waiting.front().perhaps;
}

std::size_t Outbox::withdraw(const std::string& group) {
  const auto found = lanes_.find(group);
  if (found == lanes_.end()) return 0;
  Lane& lane = found->second;
  const bool all = refused(group);
  std::vector<Waiting> gone;
  while (!lane.waiting.empty() && (all || !lane.waiting.back().tried)) {
    gone.push_back(std::move(lane.waiting.back()));
    lane.waiting.pop_back();
  }
  erase(gone);
  if (lane.waiting.empty()) remove_lane(found);
  return gone.size();
}

void Outbox::erase(const std::vector<Waiting>& gone) {
  std::vector<Change> changes;
  for (const Waiting& each : gone) changes.push_back(Change::remove(Table::notifications, key(each.number)));
  size_ -= gone.size();
  if (!changes.empty()) state_.commit(std::move(changes), [](base::Result<>) {});
  for (const Waiting& each : gone) events_.on_left(each.message.id, false);
}

void Outbox::remove_lane(Lanes::iterator lane) {
  if (lane->second.sending) {
    --in_flight_;
    if (lane->second.failures > 0) --retrying_;
  }
  lanes_.erase(lane);
}

void Outbox::discard(DropReason reason) {
  const std::size_t all = size_;
  std::vector<Waiting> gone;
  for (auto& [group, lane] : lanes_)
    for (Waiting& each : lane.waiting) gone.push_back(std::move(each));
  lanes_.clear();
  in_flight_ = retrying_ = 0;
  erase(gone);
  if (all == 0) return;
  base::log::error("notifications were dropped", {{"receiver", name_},
                                                  {"reason", std::string(to_string(reason))},
                                                  {"messages", fmt::to_string(all)},
                                                  {"last_error", reach_.last_error()}});
  events_.on_dropped(reason, all);
}

// ---- sending

void Outbox::pump() {
  wake_.reset();
  if (notifier_ == nullptr) return;
  const base::Instant now = context_.scheduler.now();
  if (now < quiet_) {
    wake_ = context_.scheduler.at(quiet_, [this] { pump(); });
    return;
  }
  while (in_flight_ < kInFlight && start_one()) {
  }
  if (in_flight_ == kInFlight) return;  // an answer comes first
  base::Instant next = base::Instant::max();
  if (retrying_ < (away() ? 1 : kRetrying))
    for (const auto& [group, lane] : lanes_)
      if (!lane.sending && lane.failures > 0) next = std::min(next, std::max(lane.due, next_retry_));
  if (next != base::Instant::max()) wake_ = context_.scheduler.at(next, [this] { pump(); });
}

// What was never tried goes first, in order; then what failed, the longest due first.
bool Outbox::start_one() {
  const base::Instant now = context_.scheduler.now();
  const bool may_retry = retrying_ < (away() ? 1 : kRetrying) && now >= next_retry_;
  Lanes::iterator best = lanes_.end();
  const auto rank = [](const Lane& lane) {
    return std::tuple(lane.failures > 0, lane.failures > 0 ? lane.due : base::Instant{}, lane.waiting.front().number);
  };
  for (auto it = lanes_.begin(); it != lanes_.end(); ++it) {
    const Lane& lane = it->second;
    if (lane.sending || !lane.waiting.front().ready || (lane.failures > 0 && (!may_retry || lane.due > now))) continue;
    if (best == lanes_.end() || rank(lane) < rank(best->second)) best = it;
  }
  if (best == lanes_.end()) return false;
  start(best->first, best->second);
  return true;
}

void Outbox::start(const std::string& group, Lane& lane) {
  if (context_.scheduler.wall_now() - lane.waiting.front().message.created > kOldest) {
    // What waits behind a message that has certainly not arrived was written for somebody who has it: it goes as well,
    // and what is true is said anew.
    std::vector<Waiting> gone;
    bool perhaps = true;
    while (!lane.waiting.empty() &&
           (!perhaps || context_.scheduler.wall_now() - lane.waiting.front().message.created > kOldest)) {
      perhaps = perhaps && (lane.waiting.front().perhaps || !lane.waiting.front().known);
      gone.push_back(std::move(lane.waiting.front()));
      lane.waiting.pop_front();
    }
    erase(gone);
    events_.on_dropped(DropReason::too_old, gone.size());
    events_.on_less(group);
    lane.failures = 0;
    if (lane.waiting.empty()) remove_lane(lanes_.find(group));
    return;
  }
  if (lane.failures > 0 && away()) {
    const base::Duration gap = retry_delay(++away_retries_, random_.unit(), base::Millis{0});
    next_retry_ = context_.scheduler.now() + std::min<base::Duration>(gap, kLongestGap);
  }
  ++in_flight_;
  if (lane.failures > 0) ++retrying_;
  lane.waiting.front().tried = true;
  lane.last_try = context_.scheduler.now();
  lane.sending = notifier_->send(context_, 0, lane.waiting.front().message, context_.scheduler.now() + timeout_,
                                 [this, group](const Sent& sent) { answered(std::string(group), sent); });
}

void Outbox::answered(const std::string& group, const Sent& sent) {
  Lane& lane = lanes_.at(group);
  const loop::Handle ended = std::move(lane.sending);
  --in_flight_;
  if (lane.failures > 0) --retrying_;
  if (sent.fate == Fate::taken) taken(group, lane);
  else failed(group, lane, sent);
  pump();
}

void Outbox::taken(const std::string& group, Lane& lane) {
  const Waiting done = std::move(lane.waiting.front());
  lane.waiting.pop_front();
  lane.failures = lane.calls = lane.blamed = 0;
  lane.refused = false;
  ++taken_;
  streak_ = away_retries_ = 0;
  next_retry_ = {};
  --size_;
  std::vector<Change> changes;
  if (done.known) changes = events_.on_taken(group, *done.known);
  changes.push_back(Change::remove(Table::notifications, key(done.number)));
  state_.commit(std::move(changes), [](base::Result<>) {});
  if (lane.waiting.empty()) lanes_.erase(group);
  call_failed_lanes();
  const bool some_fail =
      std::any_of(lanes_.begin(), lanes_.end(), [](const auto& entry) { return entry.second.failures > 0; });
  reach_.taken(some_fail ? Reach::Rest::fails : Reach::Rest::fine);
  events_.on_result(SendResult::sent);
  events_.on_left(done.message.id, true);
  events_.on_less(group);
}

// The receiver works: whoever waits because it did not is called. A lane that fails all the same is called less and
// less.
void Outbox::call_failed_lanes() {
  const base::Instant now = context_.scheduler.now();
  for (auto& [group, lane] : lanes_) {
    if (lane.failures == 0 || lane.sending || lane.due <= now) continue;
    if (now - lane.last_try < std::chrono::seconds{1LL << std::min(lane.calls, kMostCalls)}) continue;
    ++lane.calls;
    lane.due = now;
  }
}

void Outbox::failed(const std::string& group, Lane& lane, const Sent& sent) {
  const base::Instant now = context_.scheduler.now();
  ++streak_;
  reach_.failed(sent.text);
  lane.refused = sent.fate == Fate::refused;
  lane.waiting.front().perhaps = lane.waiting.front().perhaps || sent.fate == Fate::unknown;
  if (sent.blame != Blame::message) lane.blamed = 0;
  else if (lane.blamed++ == 0) lane.before = taken_;
  lane.due = now + retry_delay(lane.failures++, random_.unit(), sent.retry_after);
  if (sent.retry_after.count() > 0 && (sent.status == 429 || sent.status == 503)) {
    const base::Millis most = sent.status == 429 ? base::Millis{3'600'000} : kLongestQuiet;
    quiet_ = std::max(quiet_, now + std::min(sent.retry_after, most));
  }
  events_.on_result(lane.refused ? SendResult::refused : SendResult::retried);
  if (!refused(group) || lane.blamed < kBodyFailures || lane.before == taken_) return;
  // Others were taken all the while: it is this message.
  const std::size_t count = withdraw(group);
  base::log::error(
      "a notification was set aside: the receiver refuses it and takes others; it is said again when its "
      "alerts change",
      {{"receiver", name_}, {"group", group}, {"error", sent.text}});
  events_.on_result(SendResult::parked);
  events_.on_dropped(DropReason::parked, count);
}

}  // namespace notify
