#include "notify/silences.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "base/log.h"
#include "loop/scheduler.h"
#include "state/state.h"

namespace notify {
namespace {

using state::Change;
using state::Table;

constexpr base::Millis kLookEvery{60'000};  // at the latest: the wall clock may be set

// The form of a UUID, as the ids of Alertmanager have it.
std::string new_id(base::Random& random) {
  const std::string hex = random.identifier();
  return fmt::format("{}-{}-4{}-{:x}{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(13, 3), 8 + random.below(4),
                     hex.substr(17, 3), hex.substr(20));
}

}  // namespace

base::Result<model::Silence> make_silence(const model::SilenceRequest& request, base::WallTime now) {
  const auto wrong = [](std::string text) { return base::fail(base::Kind::invalid, std::move(text)); };
  if (request.matchers.empty()) return wrong("a silence needs a matcher, such as service=order");
  if (request.matchers.size() > Silences::kMostMatchers)
    return wrong(fmt::format("a silence has at most {} matchers", Silences::kMostMatchers));
  if (std::all_of(request.matchers.begin(), request.matchers.end(), [](const auto& m) { return m.matches_empty(); }))
    return wrong(
        "at least one matcher must not match the empty string: this silence would match every alert; to silence all "
        "of them say alertname=~\".+\"");
  if (request.comment.empty()) return wrong("a silence needs a comment: why, for the others");
  if (request.author.size() + request.comment.size() > Silences::kLongestText)
    return wrong(fmt::format("author and comment are longer than {} bytes together", Silences::kLongestText));
  if (!request.ends_at && request.length <= base::Millis{0}) return wrong("the duration must be longer than 0");
  model::Silence out;
  out.matchers = request.matchers;
  out.author = request.author;
  out.comment = request.comment;
  out.starts_at = std::max(request.starts_at.value_or(now), now);
  out.ends_at = request.ends_at.value_or(request.starts_at.value_or(now) + request.length);
  out.updated_at = now;
  out.until_healthy = request.until_healthy;
  if (out.until_healthy < base::Millis{0})
    return wrong("the time until which a service is healthy must be longer than 0");
  if (out.until_healthy > base::Millis{0} && model::service_of(out.matchers).empty())
    return wrong("a silence that ends when a service is healthy needs a matcher that names it, such as service=order");
  if (out.ends_at <= now)
    return wrong(fmt::format("the silence would end at {}, which is past", base::format_iso8601(out.ends_at)));
  if (out.ends_at <= out.starts_at)
    return wrong(fmt::format("the silence would end at {}, before it starts at {}", base::format_iso8601(out.ends_at),
                             base::format_iso8601(out.starts_at)));
  return out;
}

Silences::Silences(state::State& state, loop::Scheduler& scheduler, std::uint64_t seed)
    : state_(state), scheduler_(scheduler), random_(seed) {
  for (const auto& [id, record] : state.read(Table::silences)) {
    auto silence = parse_silence(record);
    if (silence) silences_.emplace(id, *std::move(silence));
    else base::log::error("a silence cannot be read and does not hold", {{"id", id}, {"error", silence.error().text}});
  }
  look();
}

void Silences::add(const model::SilenceRequest& request, std::function<void(base::Result<std::string>)> done) {
  const base::WallTime now = scheduler_.wall_now();
  auto silence = make_silence(request, now);
  if (!silence) return done(tl::unexpected<base::Error>(silence.error()));
  const auto living = std::count_if(silences_.begin(), silences_.end(), [&](const auto& entry) {
    return entry.second.state(now) != model::SilenceState::expired;
  });
  if (static_cast<std::size_t>(living) >= kMost)
    return done(base::fail(base::Kind::limit, fmt::format("there are {} silences already; expire some", kMost)));
  silence->id = new_id(random_);
  std::string id = silence->id;
  keep(*std::move(silence), [done = std::move(done), id = std::move(id)](base::Result<> kept) {
    if (!kept) return done(tl::unexpected<base::Error>(kept.error()));
    done(id);
  });
}

void Silences::expire(const std::string& id, std::function<void(base::Result<>)> done) {
  const base::WallTime now = scheduler_.wall_now();
  const auto found = silences_.find(id);
  if (found == silences_.end())
    return done(base::fail(base::Kind::not_found, fmt::format("there is no silence {}", id)));
  model::Silence silence = found->second;
  if (silence.state(now) == model::SilenceState::expired)
    return done(base::fail(base::Kind::invalid, fmt::format("silence {} already expired", id)));
  silence.starts_at = std::min(silence.starts_at, now);
  silence.ends_at = silence.updated_at = now;
  keep(std::move(silence), std::move(done));
}

void Silences::end_where_healthy(const UpSince& up_since) {
  const base::WallTime now = scheduler_.wall_now();
  std::vector<std::string> over;
  for (const auto& [id, silence] : silences_) {
    if (silence.until_healthy <= base::Millis{0} || silence.state(now) != model::SilenceState::active) continue;
    if (ending_.contains(id)) continue;
    const auto since = up_since(model::service_of(silence.matchers));
    if (since && std::max(*since, silence.starts_at) + silence.until_healthy <= now) over.push_back(id);
  }
  ending_.insert(over.begin(), over.end());
  for (const std::string& id : over)
    expire(id, [this, id](const base::Result<>& ended) {
      ending_.erase(id);
      if (ended) base::log::info("silence expired: its service has been healthy for long enough", {{"id", id}});
    });
}

void Silences::keep(model::Silence silence, std::function<void(base::Result<>)> done) {
  std::string record = to_json(silence);
  std::string id = silence.id;
  // The state calls nobody after it is gone, and it goes after this.
  state_.commit({Change::put(Table::silences, std::move(id), std::move(record))},
                [this, silence = std::move(silence), done = std::move(done)](base::Result<> kept) {
                  if (kept) {
                    silences_.insert_or_assign(silence.id, silence);
                    look();
                  }
                  done(std::move(kept));
                });
}

std::vector<std::string> Silences::of(const model::Labels& labels) const {
  const base::WallTime now = scheduler_.wall_now();
  std::vector<std::string> out;
  for (const auto& [id, silence] : silences_)
    if (silence.state(now) == model::SilenceState::active && model::matches_all(silence.matchers, labels))
      out.push_back(id);
  return out;
}

std::vector<model::Silence> Silences::list() const {
  std::vector<model::Silence> out;
  for (const auto& [id, silence] : silences_) out.push_back(silence);
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.ends_at < b.ends_at; });
  return out;
}

std::vector<std::string> Silences::active(base::WallTime now) const {
  std::vector<std::string> out;
  for (const auto& [id, silence] : silences_)
    if (silence.state(now) == model::SilenceState::active) out.push_back(id);
  return out;
}

// Says so if another set of silences is active than before, and comes again at the next beginning or end.
void Silences::look() {
  const base::WallTime now = scheduler_.wall_now();
  forget_old(now);
  base::Millis wait = kLookEvery;
  for (const auto& [id, silence] : silences_)
    for (const base::WallTime edge : {silence.starts_at, silence.ends_at})
      if (edge > now) wait = std::min(wait, edge - now);
  timer_.reset();
  if (!silences_.empty()) timer_ = scheduler_.after(wait, [this] { look(); });
  std::vector<std::string> next = active(now);
  if (next == active_) return;
  active_ = std::move(next);
  if (on_change_) on_change_();
}

void Silences::forget_old(base::WallTime now) {
  std::vector<Change> changes;
  for (const auto& [id, silence] : silences_)
    if (silence.ends_at + kKeepExpired <= now) changes.push_back(Change::remove(Table::silences, id));
  if (changes.empty()) return;
  for (const Change& change : changes) silences_.erase(change.key);
  state_.commit(std::move(changes), [](base::Result<> result) {
    if (!result) base::log::error("could not forget old silences", {{"error", result.error().text}});
  });
}

}  // namespace notify
