#include "app/turns.h"
#include "loop/scheduler.h"

#include <utility>

namespace app {

void Turns::add(Work work) {
  loop_.post([this, alive = alive_, work = std::move(work)]() mutable {
    if (!*alive) return;
    works_.push_back(std::move(work));
    if (!std::exchange(due_, true)) turn();
  });
}

void Turns::turn() {
  const base::Instant end = loop_.now() + kTurn;
  do {
    Work work = std::move(works_.front());
    works_.pop_front();
    if (work()) works_.push_back(std::move(work));
  } while (!works_.empty() && loop_.now() < end);
  due_ = !works_.empty();
  if (due_)
    loop_.post([this, alive = alive_] {
      if (*alive) turn();
    });
}

}  // namespace app
