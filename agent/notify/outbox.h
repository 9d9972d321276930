// The messages of one receiver that it has not taken yet. Durable before the first attempt; each is tried until it is
// taken, with the same id and the same bytes, also after a restart.
//
// A lane is what waits about one group: in order, one on its way at a time. Lanes do not wait for each other: eight
// messages are on their way at once, at most four of them such as failed before, so that a group whose message is not
// taken holds up no other group's. A receiver that is away sees a retry now and then; the first message that it takes
// calls the others.
//
// Bounded: kLane messages a group and kLimit in all. Who pushes asks for room first, and says a group's news later, as
// they are then, when there is none. Loop thread.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "loop/handle.h"
#include "notify/dedup.h"
#include "notify/notifier.h"
#include "notify/reach.h"
#include "notify/result.h"

namespace state {
struct Change;
class State;
}  // namespace state

namespace notify {

class Outbox {
 public:
  static constexpr std::size_t kLimit = 1000, kLane = 16, kInFlight = 8, kRetrying = 4;
  static constexpr base::Millis kOldest{24LL * 3600 * 1000};
  // A disk that has not answered for so long does not keep a message back.
  static constexpr base::Millis kDiskPatience{10'000};

  struct Events {
    // The receiver knows this of the group now. Returns what is to become durable together with that.
    std::function<std::vector<state::Change>(const std::string& group, const Notified& known)> on_taken;
    // A message was put into the queue. Not of those that a restart found there.
    std::function<void(const std::string& group, const std::string& id)> on_pushed;
    // A message is not in the queue any more: it was sent, or it will not be.
    std::function<void(const std::string& id, bool sent)> on_left;
    // The group has fewer messages than before: there may be something to say that was not said.
    std::function<void(const std::string& group)> on_less;
    std::function<void(SendResult)> on_result;  // of each attempt
    std::function<void(DropReason, std::size_t messages)> on_dropped;
  };

  // `receiver` is its name in logs, `id` that of the integration; keys in Table::notifications are queue/<id>/<number>.
  Outbox(std::string receiver, std::string id, Context context, state::State& state, base::Random& random,
         Events events);
  ~Outbox();

  void restore(const std::string& key, const std::string& record);  // in order of keys, before the first push
  // Who sends, from now on. Everything that waits is tried at once.
  void use(const Notifier* notifier, base::Millis timeout);
  // `known`: what the receiver knows of the group when it has taken this; nothing for a message beside the group's.
  // `with` becomes durable together with the message, before it is sent.
  void push(const std::string& group, Message message, std::optional<Notified> known, std::vector<state::Change> with);

  // What the receiver will know when it has taken everything that waits about this group; null: nothing waits.
  const Notified* expected(const std::string& group) const;
  bool waits(const std::string& group) const { return lanes_.contains(group); }
  bool room(const std::string& group) const;
  // When the first message of the group was made, if an attempt to send it has failed.
  std::optional<base::WallTime> failing_since(const std::string& group) const;
  // The receiver has refused the first message of the group and has certainly not got it.
  bool refused(const std::string& group) const;
  // Takes messages out, also from the state: those that were never tried, or, when the first one was refused, all.
  // Returns how many.
  std::size_t withdraw(const std::string& group);
  // Takes everything out.
  void discard(DropReason reason);

  static std::string prefix(const std::string& id) { return "queue/" + id + "/"; }
  std::size_t size() const { return size_; }
  const Reach& reach() const { return reach_; }

 private:
  struct Waiting {
    std::uint64_t number = 0;
    Message message;
    std::optional<Notified> known;
    bool ready = false;  // it is durable, or that failed
    bool kept = false;   // it is durable
    bool tried = false;
    bool perhaps = false;  // the receiver may have it
  };
  struct Lane {
    std::deque<Waiting> waiting;
    loop::Handle sending;  // of the first
    int failures = 0;      // of the first
    bool refused = false;  // its last answer
    base::Instant due{}, last_try{};
    int calls = 0;             // how often it was called before it was due, since it failed
    int blamed = 0;            // answers in a row that may be about the body of the first
    std::uint64_t before = 0;  // taken_ when that began
  };
  using Lanes = std::map<std::string, Lane>;

  std::string key(std::uint64_t number) const;
  state::Change record(const std::string& group, const Waiting& entry) const;
  void erase(const std::vector<Waiting>& gone);
  void remove_lane(Lanes::iterator lane);
  enum class Written { yes, no, late };
  void written(const std::string& group, std::uint64_t number, Written how, const std::string& error);
  void pump();
  bool start_one();
  void start(const std::string& group, Lane& lane);
  void answered(const std::string& group, const Sent& sent);
  void taken(const std::string& group, Lane& lane);
  void failed(const std::string& group, Lane& lane, const Sent& sent);
  void call_failed_lanes();
  bool away() const { return streak_ >= static_cast<int>(kInFlight); }

  std::string name_, id_;
  Context context_;
  state::State& state_;
  base::Random& random_;
  Events events_;
  const Notifier* notifier_ = nullptr;
  base::Millis timeout_{10'000};
  Lanes lanes_;  // none is empty
  std::size_t size_ = 0, in_flight_ = 0, retrying_ = 0;
  std::uint64_t next_number_ = 1, taken_ = 0;
  int streak_ = 0;                                 // failures since the last one that was taken
  int away_retries_ = 0;                           // in this streak
  base::Instant next_retry_{}, quiet_{};           // a retry while it is away; anything at all (Retry-After)
  bool kept_ = true;                               // the last message was written down
  std::map<std::uint64_t, loop::Handle> writing_;  // messages whose commit has not answered, and how long is waited
  loop::Handle wake_;
  Reach reach_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace notify
