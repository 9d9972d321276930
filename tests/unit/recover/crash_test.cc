// The agent is killed at every step of a recovery, once and twice: at each commit before it is kept, after it is kept
// and before it is answered, before and after each action takes effect. Whatever the step, the budget holds, every
// intent is closed in the end, and the alert is not forgotten.
#include <doctest/doctest.h>

#include <memory>

#include "fakes/fake_loop.h"
#include "fakes/fake_service_view.h"
#include "fakes/fake_state.h"
#include "fakes/probe_world.h"
#include "fakes/scripted_action.h"
#include "recover/dispatcher.h"

using model::Health;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

// A service that the n-th restart heals, and an agent on it that can be killed.
class Site {
 public:
  Site(int heals_at, int first_crash, int second_crash)
      : heals_at_(heals_at), crash_at_(first_crash), crash_again_(second_crash) {
    script_.takes = milliseconds{300};
    script_.on_start = [this] {
      step();
      if (dead_) return;
      actions.push_back(loop_.now());
      if (static_cast<int>(actions.size()) == heals_at_) healed_at_ = loop_.now() + milliseconds{200};
      step();
    };
    start_agent();
  }

  void run(base::Duration for_so_long) {
    const base::Instant end = loop_.now() + for_so_long;
    while (loop_.now() < end) {
      loop_.advance(milliseconds{100});
      if (!healthy() && healed_at_ && loop_.now() >= *healed_at_) set_healthy();
      if (dead_) start_agent();
      if (++ticks_ % 10 == 0 || !service_view_.probed.empty()) probe();
    }
  }

  bool healthy() const { return service_view_.health.at("order") == Health::up; }
  std::size_t open_intents() const {
    const auto found = state_->durable().find(state::Table::intents);
    return found == state_->durable().end() ? 0 : found->second.size();
  }
  model::PlanState plan_state() const { return dispatcher_->statuses().at(0).state; }
  std::size_t most_actions_within(base::Duration window) const {
    std::size_t most = 0;
    for (std::size_t i = 0; i < actions.size(); ++i) {
      std::size_t n = 0;
      for (std::size_t j = i; j < actions.size() && actions[j] - actions[i] < window; ++j) ++n;
      most = std::max(most, n);
    }
    return most;
  }

  std::vector<base::Instant> actions;
  int pages = 0;
  int steps = 0;

 private:
  void step() {
    if (++steps != crash_at_ && steps != crash_again_) return;
    dead_ = true;
    state_->dead = true;
  }

  void start_agent() {
    fakes::FakeState::Tables left;
    if (state_) left = state_->durable();
    dispatcher_.reset();
    state_ = std::make_unique<fakes::FakeState>(loop_, std::move(left));
    state_->on_commit = [this] { step(); };
    state_->on_durable = [this] { step(); };
    dead_ = false;
    service_view_.health.try_emplace("order", Health::down);
    recover::Context context{loop_, systemd_, spawner_, [this](const std::string&, const std::string&) { ++pages; }};
    dispatcher_ = std::make_unique<recover::Dispatcher>(recover::Options{"node1", 7}, context, *state_, service_view_,
                                                        recover::Callbacks{});
    std::vector<std::unique_ptr<recover::PlanSpec>> plans;
    plans.push_back(plan());
    dispatcher_->replace(std::move(plans));
    if (!healthy()) dispatcher_->on_alert(fakes::transition("ServiceDown", "order", loop_.wall_now()));
  }

  std::unique_ptr<recover::PlanSpec> plan() {
    auto spec = std::make_unique<recover::PlanSpec>();
    spec->service = "order";
    spec->mode = model::RecoveryMode::enforce;
    spec->probes = {"http"};
    spec->when = {{"alert", "ServiceDown"}};
    spec->guards.agent_uptime = base::Millis{0};
    spec->steps.push_back(fakes::scripted_step("drain", harmless_));
    spec->steps.push_back(fakes::scripted_step("restart", script_));
    spec->steps.back().verify = recover::Verify{2, base::Millis{5'000}};
    spec->finally.push_back(fakes::scripted_step("undrain", harmless_));
    return spec;
  }

  void set_healthy() {
    service_view_.health["order"] = Health::up;
    dispatcher_->on_health({"order", "", Health::down, Health::up, model::Reason::none, "", loop_.wall_now()});
    dispatcher_->on_alert(fakes::transition("ServiceDown", "order", loop_.wall_now(), model::AlertState::inactive));
  }

  void probe() {
    service_view_.probed.clear();
    dispatcher_->on_run("order", "http", healthy());
  }

  fakes::FakeLoop loop_;
  fakes::FakeSystemd systemd_{loop_};
  fakes::FakeSpawner spawner_{loop_};
  fakes::FakeServiceView service_view_;
  fakes::ActionScript script_, harmless_{.takes = milliseconds{10}, .heals = false};
  std::unique_ptr<fakes::FakeState> state_;
  std::unique_ptr<recover::Dispatcher> dispatcher_;
  int heals_at_, crash_at_, crash_again_;
  bool dead_ = false;
  std::optional<base::Instant> healed_at_;
  int ticks_ = 0;
};

void check_site(int heals_at, int first, int second) {
  CAPTURE(heals_at);
  CAPTURE(first);
  CAPTURE(second);
  Site site(heals_at, first, second);
  site.run(minutes{4});
  CHECK(site.most_actions_within(minutes{15}) <= 3);
  CHECK(site.open_intents() == 0);
  if (heals_at == 1) CHECK(site.healthy());  // a crash costs an attempt, but two of them are left for it
  if (site.healthy()) {
    CHECK(site.plan_state() == model::PlanState::idle);
    CHECK(site.pages == 0);
  } else {
    CHECK(site.plan_state() == model::PlanState::exhausted);
    CHECK(site.pages >= 1);
  }
}

}  // namespace

TEST_CASE("without a crash a plan heals with the restart that heals, or pages after three") {
  for (const int heals_at : {1, 2, 3, 99}) {
    Site site(heals_at, 0, 0);
    site.run(minutes{4});
    CAPTURE(heals_at);
    CHECK(site.actions.size() == static_cast<std::size_t>(std::min(heals_at, 3)));
    CHECK(site.healthy() == (heals_at <= 3));
    CHECK(site.pages == (heals_at <= 3 ? 0 : 1));
  }
}

TEST_CASE("killed at any one step, the agent keeps its budget, closes its intents and finishes") {
  for (const int heals_at : {1, 2, 99}) {
    Site whole(heals_at, 0, 0);
    whole.run(minutes{4});
    REQUIRE(whole.steps > 10);
    for (int first = 1; first <= whole.steps + 2; ++first) check_site(heals_at, first, 0);
  }
}

TEST_CASE("killed twice, also while it takes up what the first crash left") {
  for (int first = 1; first <= 24; ++first)
    for (int second = first + 1; second <= first + 8; ++second)
      for (const int heals_at : {2, 99}) check_site(heals_at, first, second);
}
