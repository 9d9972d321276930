// The silences of this node: added and expired by people, durable before that is answered, kept for a while after their
// end so that everybody can see who silenced what. They keep alerts from receivers and do nothing else: rules go on,
// and so does recovery. Loop thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "loop/handle.h"
#include "model/labels.h"
#include "model/silence.h"

namespace loop {
class Scheduler;
}  // namespace loop

namespace state {
class State;
}  // namespace state

namespace notify {

class Silences {
 public:
  static constexpr base::Millis kKeepExpired{120LL * 3600 * 1000};  // as Alertmanager keeps its data
  static constexpr std::size_t kMost = 1000;                        // that are active or pending
  static constexpr std::size_t kMostMatchers = 64;
  static constexpr std::size_t kLongestText = 4096;

  // Reads what was left from `state`. `seed`: for ids.
  Silences(state::State& state, loop::Scheduler& scheduler, std::uint64_t seed);

  // Called when a silence begins or ends, by a person or by the clock.
  void on_change(std::function<void()> call) { on_change_ = std::move(call); }

  // `done` has the id, after fsync; before it nothing is silenced.
  void add(const model::SilenceRequest& request, std::function<void(base::Result<std::string>)> done);
  // Ends one that is active, or one that has not begun.
  void expire(const std::string& id, std::function<void(base::Result<>)> done);

  // Since when a service has been up; none: it is not.
  using UpSince = std::function<std::optional<base::WallTime>(const std::string& service)>;
  // Ends those that wait for a service to be healthy, where it has been for long enough since they began.
  void end_where_healthy(const UpSince& up_since);

  // The ids of the active silences that match; empty: the alert is told.
  std::vector<std::string> of(const model::Labels& labels) const;
  std::vector<model::Silence> list() const;  // by their end, the first to end first

 private:
  void keep(model::Silence silence, std::function<void(base::Result<>)> done);
  void look();
  void forget_old(base::WallTime now);
  std::vector<std::string> active(base::WallTime now) const;

  state::State& state_;
  loop::Scheduler& scheduler_;
  base::Random random_;
  std::map<std::string, model::Silence> silences_;  // by id; durable
  std::set<std::string> ending_;                    // because of health; not durable yet
  std::vector<std::string> active_;                 // when we last looked
  std::function<void()> on_change_;
  loop::Handle timer_;
};

// The silence that is asked for, without its id, or what is wrong with the request.
base::Result<model::Silence> make_silence(const model::SilenceRequest& request, base::WallTime now);

std::string to_json(const model::Silence& silence);
base::Result<model::Silence> parse_silence(const std::string& json);

}  // namespace notify
