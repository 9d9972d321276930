// A slot allows to interrupt a service: to drain, restart or reboot it. There are few of them, for the plans of a node
// or for the nodes of a group, so that a fault or a rule that is wrong does not take everything down at once. A run of
// a plan asks for one between its recheck and its first commit, and holds it to its end.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/time.h"
#include "loop/handle.h"
#include "recover/plan/guard.h"

namespace recover {

struct SlotRequest {
  std::string service;
  std::string recovery;  // id of the run. One that holds a slot already gets the same one: so it goes on after a crash
  base::Millis ttl;      // an agent that is gone holds its slot for so long; one that lives renews it
  base::Instant deadline{};  // for the answer
  bool by_person = false;    // a person started the run
  bool reboots = false;      // the plan may come to reboot the node
  bool of_rollout = false;   // it is a part of a rollout
};

struct SlotAnswer {
  enum class Kind { yes, no, unknown };
  Kind kind = Kind::unknown;
  Guard guard{};            // the reason: who holds the slots, or why that is not known
  std::uint64_t fence = 0;  // of a yes: larger than that of any holder before; 0: nobody outside this agent competes
};

// Loop thread.
class Slots {
 public:
  virtual ~Slots() = default;

  // `done` once, in a later turn, at the deadline at the latest. Unknown is not yes: whether a slot was taken is not
  // known, and release() follows. After a yes the slot is renewed until release(); when it cannot be promised any more,
  // `lost` is called once, early enough that what is begun before it still falls into the ttl. After the Handle is
  // dropped neither is called; the slot stays taken until release(), or for the ttl: so an agent that is restarted
  // finds its own again. A service has one slot at a time.
  virtual loop::Handle acquire(const SlotRequest& request, std::function<void(SlotAnswer)> done,
                               std::function<void(Guard)> lost) = 0;
  // Gives back what acquire() took or is about to take. Nothing is there: nothing is done. One that cannot be given
  // back now is tried again until its ttl is over; nobody waits for it.
  virtual void release(const std::string& service) = 0;

  // What is known without asking: guards that are open if a slot seems free for the service, or is its own, and that
  // say who holds the others. After an answer of unknown one stays closed for as long as asking again is of no use.
  virtual std::vector<Guard> seen(const std::string& service) const = 0;
  // A slot may have become free: called in the turn in which that is learned, perhaps from inside release().
  virtual void on_free(std::function<void()> then) = 0;
};

}  // namespace recover
