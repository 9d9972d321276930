#include "web/server/event_stream.h"

#include <fmt/format.h>

#include "base/hash.h"
#include "encoding/json.h"
#include "web/pages/status_page.h"

namespace web {

bool EventStreams::enter() {
  const std::lock_guard lock(mutex_);
  if (open_ >= most_ || stopping_) return false;
  ++open_;
  return true;
}

void EventStreams::leave() {
  const std::lock_guard lock(mutex_);
  --open_;
}

std::size_t EventStreams::open() const {
  const std::lock_guard lock(mutex_);
  return open_;
}

void EventStreams::snapshot_changed() {
  {
    const std::lock_guard lock(mutex_);
    ++generation_;
  }
  changed_.notify_all();
}

void EventStreams::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
}

EventStreams::Woken EventStreams::wait(std::uint64_t& seen, std::chrono::milliseconds quiet) {
  std::unique_lock lock(mutex_);
  const bool woken = changed_.wait_for(lock, quiet, [&] { return stopping_ || generation_ != seen; });
  if (stopping_) return Woken::stopping;
  seen = generation_;
  return woken ? Woken::changed : Woken::quiet;
}

bool EventStreams::pause(std::chrono::milliseconds length) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, length, [&] { return stopping_; });
}

std::string EventWriter::greeting() { return "retry: 2000\n\n"; }

// An event, because a page's script does not see comments; and a comment, because some proxies count only bytes.
std::string EventWriter::news(const Snapshot& snapshot, base::Instant now) {
  std::string out = patch(snapshot);
  if (out.empty() && now - spoke_ >= kHeartbeat) out = ": alive\nevent: alive\ndata: 1\n\n";
  if (!out.empty()) spoke_ = now;
  return out;
}

std::string EventWriter::patch(const Snapshot& snapshot) {
  std::map<std::string, std::uint64_t> now;
  bool some = false;
  encoding::Json json;
  json.object([&] {
    json.key("at").time(snapshot.at);
    const std::vector<Fragment> fragments = page_fragments(snapshot);
    json.key("places").integer(static_cast<std::int64_t>(fragments.size()));  // a page with others loads itself anew
    json.key("fragments").object([&] {
      for (const Fragment& fragment : fragments) {
        const std::uint64_t hash = base::fnv1a(fragment.html);
        now.emplace(fragment.id, hash);
        if (const auto old = told_.find(fragment.id); old != told_.end() && old->second == hash) continue;
        json.key(fragment.id).string(fragment.html);
        some = true;
      }
    });
  });
  told_ = std::move(now);
  if (!some) return "";
  return fmt::format("id: {}\nevent: patch\ndata: {}\n\n", snapshot.number, json.take());
}

}  // namespace web
