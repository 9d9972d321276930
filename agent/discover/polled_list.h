// A list of targets that a server is asked for: now, and from time to time. Loop thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/time.h"
#include "discover/target_list.h"
#include "http/http_client.h"
#include "loop/handle.h"

namespace loop {
class Scheduler;
}  // namespace loop

namespace discover {

class PolledList {
 public:
  // What one question may take.
  static constexpr base::Millis kPatience{10'000};

  // `ask` sends the question, and ends in take() or keep(); called in later turns only. `changed` as make() has it.
  PolledList(std::string name, base::Millis interval, loop::Scheduler& scheduler, std::function<void()> changed,
             std::function<void()> ask);

  const TargetList& list() const { return list_; }
  // In a later turn, beside the interval; a question that is under way begins again.
  void ask_now();
  // Too many targets are a failed answer.
  void take(std::vector<Target> found);
  // `path` is what was asked for; the text says what to do where the server does not let us in.
  void keep(const std::string& path, const std::string& why, const http::HttpResponse& response);
  void keep(const std::string& why);

 private:
  void arm(base::Duration wait);

  TargetList list_;
  base::Millis interval_;
  loop::Scheduler& scheduler_;
  std::function<void()> changed_, ask_;
  loop::Handle timer_;
};

// Why so many targets are too many; "" if they are not (target.h has the limits).
std::string too_many(const std::vector<Target>& targets);

}  // namespace discover
