// One target that hears the alerts again and again (an Alertmanager): which of them it is to be told and when, posted
// in batches as Prometheus does. A firing alert is due again after the notifier's resend, an alert that changed at
// once. Nothing here is durable: what there is to tell can always be told anew. Loop thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "loop/handle.h"
#include "model/alert.h"
#include "notify/notifier.h"
#include "notify/reach.h"
#include "notify/result.h"

namespace notify {

class Feed {
 public:
  static constexpr std::size_t kBatch = 64;

  // One alert as it was in a post, and what became of the post.
  struct Told {
    std::string group;
    model::Labels alert;
    bool firing = true;
    std::int64_t start = 0;  // ms
    Fate fate = Fate::unknown;
  };
  struct Events {
    std::function<std::string(const std::vector<model::Alert>&)> render;
    std::function<void(const std::vector<Told>&)> on_told;
    std::function<void(SendResult)> on_result;  // of each post
  };

  // `notifier` outlives this; `target` is a place in its targets().
  Feed(std::string receiver, const Notifier& notifier, std::size_t target, base::Millis timeout, Context context,
       base::Random& random, Events events);

  // To be told from now on, until it is taken out. Due at once if it is another picture than before.
  void put(const std::string& group, const model::Alert& alert);
  void remove(const model::Labels& alert);

  // It has taken that alert since this one began to tell it.
  bool took(const model::Labels& alert) const;
  bool posting(const std::string& group) const;  // an alert of it is on its way

  const std::string& name() const { return name_; }
  std::size_t owed() const;  // alerts that changed and were not taken since
  const Reach& reach() const { return reach_; }

 private:
  struct Entry {
    std::string group;
    model::Alert alert;
    std::uint64_t version = 0;
    base::Instant due{};
    bool owed = true;
    bool taken = false;  // this firing of it, as it is or as it was before
    int failures = 0;    // of posts with it, without those where the target failed
  };
  using Entries = std::map<model::Labels, Entry>;
  struct Posted {
    Told told;
    std::uint64_t version = 0;
  };

  void soon();
  void pump();
  std::vector<Entries::iterator> batch();
  base::Instant allowed(const Entry& entry) const;
  void send(const std::vector<Entries::iterator>& chosen);
  void answered(const Sent& sent);
  void taken();
  void failed(const Sent& sent);
  void over(Fate fate);

  const Notifier& notifier_;
  std::size_t target_;
  base::Millis timeout_;
  Context context_;
  base::Random& random_;
  Events events_;
  std::string name_;
  Entries entries_;
  std::uint64_t versions_ = 0;
  std::vector<Posted> posted_;  // what is on its way
  base::Instant posted_at_{};
  int streak_ = 0;                  // failures since the last post that was taken
  base::Instant pause_{};           // the target as a whole
  base::Instant suspects_pause_{};  // alerts that failed before
  loop::Handle sending_, timer_;
  bool soon_ = false;
  Reach reach_;
};

}  // namespace notify
