// What an agent does for a rollout, by tables; and many agents that are slow, die and come back, by chance: never more
// than a batch acts at once, none begins after a failure, and in the end all are done.
#include "cluster/rollout.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/random.h"

using namespace std::chrono_literals;
using cluster::Group;
using cluster::PartGate;
using cluster::PartRun;
using cluster::PartState;
using cluster::Rollout;
using cluster::RolloutState;
using cluster::RolloutTodo;
using Kind = cluster::RolloutTodo::Kind;
using model::Health;

namespace {

constexpr base::WallTime kNow{1'000'000s};

cluster::Identity who(int node) { return {"node" + std::to_string(node), "order"}; }

Group group_of(int members) {
  Group out;
  for (int i = members; i >= 1; --i) out.members.push_back({who(i), Health::up, kNow});  // in no order
  return out;
}

Rollout rollout_of(const Group& group, const std::string& batch) {
  auto made = cluster::begin_rollout("order", group, {"", batch, 60s, "operator"}, "4f2a", kNow);
  REQUIRE_MESSAGE(made.has_value(), made.error().text);
  return *made;
}

// The states of the parts: w(aiting), W(orking), d(one), f(ailed).
std::string letters(const Rollout& rollout) {
  std::string out;
  for (const cluster::RolloutPart& part : rollout.parts)
    out += part.state == PartState::working ? 'W' : to_string(part.state)[0];
  return out;
}
Rollout with(Rollout rollout, const std::string& states) {
  REQUIRE(states.size() == rollout.parts.size());
  for (std::size_t i = 0; i < states.size(); ++i)
    rollout.parts[i].state = states[i] == 'w'   ? PartState::waiting
                             : states[i] == 'W' ? PartState::working
                             : states[i] == 'd' ? PartState::done
                                                : PartState::failed;
  return rollout;
}

}  // namespace

TEST_CASE("a rollout begins with all members, by node, in batches") {
  const Group group = group_of(5);
  struct Row {
    std::string batch;
    int members;
    std::string error;
  };
  for (const Row& row :
       std::vector<Row>{{"1", 1, ""},
                        {"5", 5, ""},
                        {"20%", 1, ""},
                        {"21%", 2, ""},
                        {"100%", 5, ""},
                        {"0", 0, "batch 0: must be at least 1: a batch of none never ends"},
                        {"0%", 0, "batch 0%: must be at least 1: a batch of none never ends"},
                        {"101%", 0, "batch 101%: must be at most 100%"},
                        {"6", 0, "batch 6: the group has 5 members"},
                        {"-1", 0, "batch -1: expected a number of members (2) or a part of them (25%)"},
                        {"", 0, "batch : expected a number of members (2) or a part of them (25%)"}}) {
    CAPTURE(row.batch);
    const auto made = cluster::begin_rollout("order", group, {"", row.batch, 60s, "operator"}, "4f2a", kNow);
    CHECK((made ? std::string() : made.error().text) == row.error);
    if (!made) continue;
    CHECK(made->batch == row.members);
    CHECK(made->parts.front().who == who(1));
    CHECK(made->parts.back().who == who(5));
    CHECK(letters(*made) == "wwwww");
  }
  CHECK(cluster::begin_rollout("order", {}, {}, "1", kNow).error().text == "the group order has no members");
}

TEST_CASE("a record is read as it was written, and what is none is nothing") {
  Rollout rollout = with(rollout_of(group_of(3), "2"), "dfw");
  rollout.round = 3;
  rollout.action = "unit_hook:clear-cache";
  rollout.state = RolloutState::stopped;
  rollout.why = "order on node2: it failed";
  rollout.parts[1].text = "it failed";
  const auto read = cluster::read_rollout(rollout_value(rollout));
  REQUIRE(read.has_value());
  CHECK(rollout_value(*read) == rollout_value(rollout));
  CHECK(trigger_of(*read) == "rollout 4f2a, round 3");
  for (const char* bad : {"", "null", "[]", "{}", R"({"id":"1","state":"running","round":1,"batch":0,"deadline":1})",
                          R"({"id":"1","state":"gone","round":1,"batch":1,"deadline":1,"parts":[]})"})
    CHECK_FALSE(cluster::read_rollout(bad).has_value());
}

TEST_CASE("what a member does now") {
  using Run = PartRun::State;
  using Gate = PartGate::State;
  struct Row {
    std::string text, before;
    int self;
    RolloutState state;
    Run run;
    Gate gate;
    base::Duration unchanged;
    Kind kind;
    std::string after;
    RolloutState becomes;
    std::string why;
  };
  const auto running = RolloutState::running, stopped = RolloutState::stopped, aborted = RolloutState::aborted,
             over = RolloutState::done;
  for (const Row& row : std::vector<Row>{
           {"its turn", "wwww", 1, running, Run::none, Gate::open, 0s, Kind::write, "Wwww", running, ""},
           {"the other of its batch", "Wwww", 2, running, Run::none, Gate::open, 0s, Kind::write, "WWww", running, ""},
           {"not its turn", "dwww", 3, running, Run::none, Gate::open, 0s, Kind::nothing, "dwww", running, ""},
           {"the next batch", "ddww", 3, running, Run::none, Gate::open, 0s, Kind::write, "ddWw", running, ""},
           {"a guard that passes", "wwww", 1, running, Run::none, Gate::later, 0s, Kind::nothing, "wwww", running, ""},
           {"for too long", "wwww", 1, running, Run::none, Gate::later, 60s, Kind::write, "wwww", stopped,
            "order on node1 has not begun within 1m: fleet_busy"},
           {"only people open it", "wwww", 1, running, Run::none, Gate::never, 0s, Kind::write, "fwww", stopped,
            "order on node1: fleet_busy"},
           {"the record says so", "Wwww", 1, running, Run::none, Gate::open, 0s, Kind::begin, "Wwww", running, ""},
           {"refused at last", "Wwww", 1, running, Run::none, Gate::later, 5s, Kind::nothing, "Wwww", running, ""},
           {"for too long", "Wwww", 1, running, Run::none, Gate::later, 60s, Kind::write, "wwww", stopped,
            "order on node1 has not begun within 1m: fleet_busy"},
           {"it acts", "Wwww", 1, running, Run::under_way, Gate::later, 1h, Kind::nothing, "Wwww", running, ""},
           {"one waits for it", "Wwww", 2, running, Run::none, Gate::later, 1h, Kind::nothing, "Wwww", running, ""},
           {"it is well", "WWww", 1, running, Run::recovered, Gate::open, 0s, Kind::write, "dWww", running, ""},
           {"the last one", "dddW", 4, running, Run::recovered, Gate::open, 0s, Kind::write, "dddd", over, ""},
           {"it failed", "WWww", 1, running, Run::failed, Gate::open, 0s, Kind::write, "fWww", stopped,
            "order on node1: exit code 1"},
           {"another failed", "fWww", 2, stopped, Run::recovered, Gate::open, 0s, Kind::write, "fdww", stopped, ""},
           {"before it began", "fWww", 2, stopped, Run::none, Gate::open, 0s, Kind::write, "fwww", stopped, ""},
           {"stopped", "fwww", 2, stopped, Run::none, Gate::open, 1h, Kind::nothing, "fwww", stopped, ""},
           {"aborted", "Wwww", 1, aborted, Run::under_way, Gate::later, 0s, Kind::abort, "Wwww", aborted, ""},
           {"and over", "Wwww", 1, aborted, Run::failed, Gate::open, 0s, Kind::write, "fwww", aborted, ""},
           {"one waits too long", "wwww", 3, running, Run::none, Gate::open, 60s, Kind::nothing, "wwww", running, ""},
           {"and does not say so", "wwww", 3, running, Run::none, Gate::open, 70s, Kind::write, "wwww", stopped,
            "order on node1 has not begun within 1m: its agent does not say why"},
           {"done", "dddd", 1, over, Run::recovered, Gate::open, 1h, Kind::nothing, "dddd", over, ""}}) {
    CAPTURE(row.text);
    Group group = group_of(4);
    group.rollout = with(rollout_of(group, "2"), row.before);
    group.rollout->state = row.state;
    const RolloutTodo todo = cluster::decide(
        group, {who(row.self), {row.run, "exit code 1"}, {row.gate, "fleet_busy"}, true, row.unchanged}, kNow);
    CHECK(static_cast<int>(todo.kind) == static_cast<int>(row.kind));
    CHECK(letters(todo.next) == row.after);
    CHECK(to_string(todo.next.state) == to_string(row.becomes));
    if (!row.why.empty()) CHECK(todo.next.why == row.why);
  }
}

TEST_CASE("who is away, or went down after its part, stops it with its name; who has no lease does nothing") {
  Group group = group_of(3);
  group.rollout = with(rollout_of(group, "1"), "dww");
  cluster::PartView view{who(3), {}, {}, true, 59s};
  std::erase_if(group.members, [](const cluster::Member& m) { return m.who == who(2); });
  CHECK(decide(group, view, kNow).kind == Kind::nothing);
  view.unchanged = 60s;
  CHECK(decide(group, view, kNow).next.why == "order on node2 is away: its agent has not been in the fleet for 1m");
  view.joined = false;
  CHECK(decide(group, view, kNow).kind == Kind::nothing);

  group = group_of(3);
  group.rollout = with(rollout_of(group, "1"), "dww");
  group.members.back().health = Health::down;  // node1
  view = {who(2), {}, {}, true, 1s};
  CHECK(decide(group, view, kNow).kind == Kind::nothing);
  view.unchanged = 60s;
  CHECK(decide(group, view, kNow).next.why == "order on node1 went down after its part");
}

TEST_CASE("people go on with what is not done, and not beside one that is at work") {
  Group group = group_of(3);
  CHECK(cluster::resume_rollout("order", group, kNow).error().text == "there is no rollout of order to resume");
  CHECK(cluster::abort_rollout("order", group, "operator", kNow).error().text == "no rollout of order is under way");
  group.rollout = with(rollout_of(group, "2"), "dfW");
  CHECK(cluster::resume_rollout("order", group, kNow).error().text == "rollout 4f2a of order is under way");
  CHECK(cluster::begin_rollout("order", group, {}, "2", kNow).error().text.find("is under way") != std::string::npos);
  const auto aborted = cluster::abort_rollout("order", group, "operator: no", kNow);
  CHECK(aborted->why == "aborted by operator: no");
  group.rollout->state = RolloutState::stopped;
  const std::string at_work = "order on node3 is still at work for rollout 4f2a: try again when it has ended";
  CHECK(cluster::resume_rollout("order", group, kNow).error().text == at_work);
  CHECK(cluster::begin_rollout("order", group, {}, "2", kNow).error().text == at_work);
  std::erase_if(group.members, [](const cluster::Member& m) { return m.who == who(3); });
  const auto resumed = cluster::resume_rollout("order", group, kNow);
  REQUIRE(resumed.has_value());
  CHECK(letters(*resumed) == "dww");
  CHECK(resumed->round == 2);
  CHECK(resumed->state == RolloutState::running);
}

namespace {

// Agents with views that are late, over one record that is written by compare-and-swap.
struct World {
  struct Agent {
    int number = 0;
    bool there = true;
    Group view;
    PartRun::State run = PartRun::State::none;
    int round = 0;  // of the run
    int seen_for = 0;
  };

  explicit World(std::uint64_t seed) : random(seed) {
    const int members = 2 + static_cast<int>(random.below(7));
    store = group_of(members);
    const int most = 1 + static_cast<int>(random.below(static_cast<std::uint64_t>(members)));
    store.rollout = rollout_of(store, std::to_string(most));
    store.rollout_revision = 1;
    for (int i = 1; i <= members; ++i) agents.push_back({i, true, store});
  }

  enum class Faults { none, many };
  void step(Faults faults) {
    Agent& agent = agents[random.below(agents.size())];
    const bool bad = faults == Faults::many;
    const std::uint64_t what = random.below(100);
    if (what < 30) read(agent);
    else if (what < 75) decide(agent);
    else if (what < 90) end_run(agent, bad && random.below(5) == 0);
    else if (bad && what < 94) leave_or_come(agent);
    else if (what < 97) resume();
    else if (bad && what < 98) abort();
    check();
  }

  void read(Agent& agent) const {
    if (!agent.there) return;
    if (agent.view.rollout_revision != store.rollout_revision) agent.seen_for = 0;
    agent.view = store;
  }

  void write(const Group& over, const Rollout& next) {
    if (over.rollout_revision != store.rollout_revision) return;
    const bool goes_on = next.round != store.rollout->round;
    for (std::size_t i = 0; i < next.parts.size(); ++i) {
      const bool begins =
          next.parts[i].state == PartState::working && store.rollout->parts[i].state != PartState::working;
      if (store.rollout->state != RolloutState::running && !goes_on) CHECK_FALSE(begins);
    }
    store.rollout = next;
    ++store.rollout_revision;
  }

  void decide(Agent& agent) {
    if (!agent.there) return;
    const Rollout& rollout = *agent.view.rollout;
    const bool of_round = agent.round == rollout.round;
    const bool under_way = agent.run == PartRun::State::under_way;
    const PartGate gate{under_way ? PartGate::State::later : PartGate::State::open, ""};
    const RolloutTodo todo = cluster::decide(agent.view,
                                             {who(agent.number),
                                              {of_round ? agent.run : PartRun::State::none, "it failed"},
                                              gate,
                                              true,
                                              ++agent.seen_for * 10s},
                                             kNow);
    if (todo.kind == Kind::write) write(agent.view, todo.next);
    if (todo.kind == Kind::abort) end_run(agent, true);
    if (todo.kind != Kind::begin) return;
    agent.run = PartRun::State::under_way;
    agent.round = rollout.round;
  }

  static void end_run(Agent& agent, bool badly) {
    if (agent.run == PartRun::State::under_way) agent.run = badly ? PartRun::State::failed : PartRun::State::recovered;
  }

  // Its run is durable, and goes on or ends meanwhile.
  void leave_or_come(Agent& agent) {
    agent.there = !agent.there;
    std::erase_if(store.members, [&](const cluster::Member& m) { return m.who == who(agent.number); });
    if (!agent.there) return;
    store.members.push_back({who(agent.number), Health::up, kNow});
    agent.seen_for = 0;
    read(agent);
  }

  void resume() {
    if (const auto next = cluster::resume_rollout("order", store, kNow)) write(store, *next);
  }
  void abort() {
    if (const auto next = cluster::abort_rollout("order", store, "operator", kNow)) write(store, *next);
  }

  void check() const {
    const auto at_work =
        std::count_if(agents.begin(), agents.end(), [](const Agent& a) { return a.run == PartRun::State::under_way; });
    REQUIRE(at_work <= store.rollout->batch);
    const std::string states = letters(*store.rollout);
    const auto first = states.find_first_not_of('d');
    const auto batch = static_cast<std::size_t>(store.rollout->batch);
    for (std::size_t i = 0; i < states.size(); ++i)
      if (states[i] == 'W') REQUIRE(i / batch == first / batch);
  }

  base::Random random;
  Group store;
  std::vector<Agent> agents;
};

}  // namespace

TEST_CASE("agents that are slow, die and come back: never more than a batch, and in the end all are done") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    World world(seed);
    for (int i = 0; i < 600; ++i) world.step(World::Faults::many);
    for (World::Agent& agent : world.agents)
      if (!agent.there) world.leave_or_come(agent);
    for (int i = 0; i < 4'000 && world.store.rollout->state != RolloutState::done; ++i) world.step(World::Faults::none);
    REQUIRE(letters(*world.store.rollout) == std::string(world.agents.size(), 'd'));
    CHECK(world.store.rollout->state == RolloutState::done);
  }
}
