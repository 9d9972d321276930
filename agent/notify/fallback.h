// The second way of a receiver: what none of its integrations has taken for a while is told to another receiver. What
// that is, is said by what waits, which is durable with the receivers; so it holds over a restart. Loop thread.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "loop/handle.h"
#include "model/alert.h"
#include "model/incident.h"

namespace notify {

struct Common;
class Receiver;
struct ReceiverSpec;

class Fallbacks {
 public:
  using Receivers = std::map<std::string, std::unique_ptr<Receiver>>;  // by id

  // All of them outlive this: the receivers, what fires, and the open incidents by their id.
  Fallbacks(Common& common, const Receivers& receivers, const std::map<model::Labels, model::Alert>& firing,
            const std::map<std::string, model::Incident>& incidents);

  void use(const std::vector<ReceiverSpec>& specs);
  // Looks in a later turn: an attempt has failed, or something was taken.
  void soon();
  // The receiver that is told in its place; "": none is.
  std::string stands_in_for(const std::string& receiver) const;

 private:
  struct Way {
    std::string to;
    base::Millis after{};
  };

  void look();
  // Whether anything of that receiver waits for longer than it may. What waits for less makes `next` earlier.
  bool look_at(const std::string& receiver, const Way& way, base::WallTime& next);
  // How long all integrations of the receiver have not taken it; none: one has, or nothing failed.
  template <typename What>
  bool waits_too_long(const std::string& receiver, const Way& way, const What& what, base::WallTime& next) const;
  std::vector<Receiver*> named(const std::string& receiver) const;
  bool hears_of_its_incident(const std::string& receiver, const model::Alert& alert) const;

  Common& common_;
  const Receivers& receivers_;
  const std::map<model::Labels, model::Alert>& firing_;
  const std::map<std::string, model::Incident>& incidents_;
  std::map<std::string, Way> ways_;  // by the name of the first
  std::set<std::string> active_;     // names of those whose second way is told
  loop::Handle soon_, later_;
};

}  // namespace notify
