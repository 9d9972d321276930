// The loop of one agent of many, in virtual time: it may stand still, as a process that is stopped does, and what was
// due meanwhile runs when it goes on.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "fakes/fake_loop.h"

namespace simulation {

class AgentLoop final : public loop::Scheduler {
 public:
  // `ran` counts what runs.
  AgentLoop(fakes::FakeLoop& all, std::uint64_t& ran) : all_(all), ran_(ran) {}

  base::Instant now() const override { return all_.now(); }
  base::WallTime wall_now() const override { return all_.wall_now(); }
  loop::Handle at(base::Instant when, loop::Task task) override {
    auto timer = std::make_unique<Timer>();
    timer->task = std::make_shared<loop::Task>(std::move(task));
    timer->inner = all_.at(when, [this, weak = std::weak_ptr<loop::Task>(timer->task)] { run(weak); });
    return loop::Handle(std::move(timer));
  }
  void post(loop::Task task) override {
    auto kept = std::make_shared<loop::Task>(std::move(task));
    all_.post([this, kept, alive = std::weak_ptr<bool>(alive_)] {
      if (alive.expired()) return;
      if (paused_) deferred_.push_back({kept, kept});
      else ++ran_, (*kept)();
    });
  }

  void pause() { paused_ = true; }
  void resume() {
    paused_ = false;
    for (auto due = std::exchange(deferred_, {}); !due.empty(); due.pop_front()) run(due.front().task);
  }
  bool paused() const { return paused_; }

 private:
  struct Timer final : loop::Registration {
    std::shared_ptr<loop::Task> task;
    loop::Handle inner;
  };
  struct Deferred {
    std::weak_ptr<loop::Task> task;
    std::shared_ptr<loop::Task> kept{};  // of a post, which has no Handle
  };

  void run(const std::weak_ptr<loop::Task>& task) {
    if (paused_) return deferred_.push_back({task});
    const auto held = task.lock();
    if (!held) return;
    ++ran_;
    const loop::Task once = std::move(*held);
    once();
  }

  fakes::FakeLoop& all_;
  std::uint64_t& ran_;
  bool paused_ = false;
  std::deque<Deferred> deferred_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace simulation
