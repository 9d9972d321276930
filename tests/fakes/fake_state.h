// Durable state whose disk a test holds in its hand: slow, full, or gone with a crash at any step.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "loop/scheduler.h"
#include "state/state.h"

namespace fakes {

class FakeState final : public state::State {
 public:
  using Tables = std::map<state::Table, std::map<std::string, std::string>>;

  // `left` is what an earlier one had made durable.
  explicit FakeState(loop::Scheduler& loop, Tables left = {}) : loop_(loop), durable_(left), seen_(std::move(left)) {}

  void commit(std::vector<state::Change> changes, std::function<void(base::Result<>)> durable) override {
    if (dead) return;
    if (on_commit) on_commit();
    if (dead) return;
    apply(seen_, changes);
    waiting_.emplace_back(std::move(changes), std::move(durable));
    if (!held) loop_.post([this] { sync(); });
  }
  const std::map<std::string, std::string>& read(state::Table table) const override { return seen_[table]; }
  const std::string& trouble() const override { return trouble_; }
  state::Damage damage() const override { return damaged; }

  // Makes everything that waits durable, in order, or fails it.
  void sync() {
    while (!waiting_.empty() && !dead) {
      auto [changes, done] = std::move(waiting_.front());
      waiting_.pop_front();
      if (failing) {
        seen_ = durable_;
        for (const auto& later : waiting_) apply(seen_, later.first);
        if (done) done(base::fail(base::Kind::io, "no space left on device"));
        continue;
      }
      apply(durable_, changes);
      ++commits;
      if (on_durable) on_durable();
      if (!dead && done) done({});
    }
  }

  const Tables& durable() const { return durable_; }

  bool held = false;     // commits wait for sync()
  bool failing = false;  // the disk is full
  bool dead = false;     // the process is gone: nothing is written and nothing is answered
  state::Damage damaged;
  int commits = 0;
  std::function<void()> on_commit, on_durable;

 private:
  static void apply(Tables& tables, const std::vector<state::Change>& changes) {
    for (const state::Change& change : changes) {
      if (change.erase) tables[change.table].erase(change.key);
      else tables[change.table][change.key] = change.value;
    }
  }

  loop::Scheduler& loop_;
  Tables durable_;
  mutable Tables seen_;
  std::string trouble_;
  std::deque<std::pair<std::vector<state::Change>, std::function<void(base::Result<>)>>> waiting_;
};

}  // namespace fakes
