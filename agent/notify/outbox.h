// The messages of one receiver that are not through yet: durable before the first send, sent one after the other in
// their order, each until it is through, refused for good, too old, or pushed out by newer ones. Loop thread.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "loop/scheduler.h"
#include "notify/notifier.h"
#include "state/state.h"

namespace notify {

// until_replaced: not kept by the outbox, because its group can be rendered again; a newer message takes its place.
enum class Keep { durable, until_replaced };

class Outbox {
 public:
  static constexpr std::size_t kLimit = 1000;
  static constexpr base::Millis kOldest{24LL * 3600 * 1000};

  using OnResult = std::function<void(const std::string& result, const std::string& text)>;

  // `name` is the receiver's; keys in Table::notifications are queue/<name>/<number>.
  Outbox(std::string name, Context context, state::State& state, base::Random& random, OnResult on_result);
  ~Outbox();

  // Who sends, from now on; null takes the sender away and nothing is sent until there is one.
  void use(const Notifier* notifier, base::Millis timeout);
  // `with` becomes durable together with the message, before it is sent.
  void push(Message message, const std::string& group, Keep keep, std::vector<state::Change> with);
  void restore(const std::string& key, const std::string& record);  // in order of keys, before the first push
  // Takes everything out, also from the state.
  void discard(const std::string& why);

  static std::string prefix(const std::string& name) { return "queue/" + name + "/"; }
  std::size_t size() const { return queue_.size(); }
  const std::string& last_error() const { return last_error_; }
  std::optional<base::WallTime> last_sent() const { return last_sent_; }

 private:
  struct Entry {
    std::uint64_t number = 0;
    Message message;
    std::string group;
    Keep keep = Keep::durable;
    bool ready = false;  // it is durable, or that failed
    int failures = 0;
  };

  std::string key(std::uint64_t number) const;
  void forget(const Entry& entry);
  void drop_oldest(const std::string& why);
  void send_next();
  void answered(Sent sent);

  std::string name_;
  Context context_;
  state::State& state_;
  base::Random& random_;
  OnResult on_result_;
  const Notifier* notifier_ = nullptr;
  base::Millis timeout_{10'000};
  std::deque<Entry> queue_;
  std::uint64_t next_number_ = 1;
  loop::Handle sending_;  // of the first entry
  loop::Handle retry_;
  std::string last_error_;
  std::optional<base::WallTime> last_sent_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace notify
