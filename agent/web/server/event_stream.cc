#include "web/server/event_stream.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.h"
#include "encoding/json.h"
#include "web/pages/status_page.h"

namespace web {
namespace {

// The page counts on by itself how long ago something was.
std::uint64_t hash_without_ages(std::string_view html) {
  constexpr std::string_view kMark = "data-ago=\"";
  std::uint64_t hash = base::kFnvOffset;
  for (std::size_t at = html.find(kMark); at != std::string_view::npos; at = html.find(kMark)) {
    hash = base::fnv1a(html.substr(0, at), hash);
    html.remove_prefix(std::min(html.find('<', at), html.size()));
  }
  return base::fnv1a(html, hash);
}

}  // namespace

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
  std::string out = patch(snapshot, now);
  if (out.empty() && now - spoke_ >= kHeartbeat) out = ": alive\nevent: alive\ndata: 1\n\n";
  if (!out.empty()) spoke_ = now;
  return out;
}

std::string EventWriter::patch(const Snapshot& snapshot, base::Instant now) {
  std::map<std::string, Told> next;
  bool some = false;
  encoding::Json json;
  json.object([&] {
    json.key("at").time(snapshot.at);
    const std::vector<Fragment> fragments = page_fragments(snapshot, view_);
    // What stands in each list, in order: the page adds, moves and takes away.
    json.key("lists").object([&] {
      for (const std::string_view list : {"cards", "groups"})
        json.key(list).array([&] {
          for (const Fragment& fragment : fragments)
            if (fragment.list == list) json.string(fragment.id);
        });
    });
    json.key("fragments").object([&] {
      for (const Fragment& fragment : fragments) {
        Told told{hash_without_ages(fragment.html), base::fnv1a(fragment.state), now};
        if (const auto old = told_.find(fragment.id); old != told_.end()) {
          const bool waits =
              !fragment.state.empty() && old->second.state == told.state && now - old->second.at < kMeasurements;
          if (old->second.html == told.html || waits) {
            next.insert(*old);
            continue;
          }
        }
        next.emplace(fragment.id, told);
        json.key(fragment.id).string(fragment.html);
        some = true;
      }
    });
  });
  some = some || next.size() != told_.size();
  told_ = std::move(next);
  if (!some) return "";
  return fmt::format("id: {}\nevent: patch\ndata: {}\n\n", snapshot.number, json.take());
}

}  // namespace web
