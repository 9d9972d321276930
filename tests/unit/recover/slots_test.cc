// Slots: those of the node, and what a plan makes of answers that come later, that are not known, and of a loss.
#include "recover/plan/slots.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>

#include "fakes/fake_slots.h"
#include "fakes/recovery_site.h"
#include "recover/plan/node_slots.h"
#include "recover/plan/run.h"

using fakes::FakeSlots;
using model::Health;
using recover::GuardName;
using Answer = recover::SlotAnswer::Kind;
using std::chrono::minutes;
using std::chrono::seconds;
using Lines = std::vector<std::string>;

namespace {

// drain → restart, verified → reboot → page; finally undrain.
struct Site : fakes::RecoverySite {
  FakeSlots few;
  fakes::ActionScript drain{.heals = false, .traffic = true, .drains = true}, undrain{.heals = false, .traffic = true},
      reboot;

  Site() {
    slots = &few;
    start();
  }
  ~Site() { dispatcher.reset(); }
  void use_all(model::RecoveryMode mode = model::RecoveryMode::enforce) {
    auto spec = plan(mode);
    spec->steps.insert(spec->steps.begin(), fakes::scripted_step("drain", drain));
    spec->steps.push_back(fakes::scripted_step("reboot", reboot));
    spec->steps.push_back(fakes::scripted_step("page", telling));
    spec->finally.push_back(fakes::scripted_step("undrain", undrain));
    use(std::move(spec));
  }
  void fire() {
    use_all();
    alert("ServiceDown");
    loop.run_due();
  }
  void answer(Answer kind) {
    few.answer("order", kind);
    loop.run_due();
  }
  void lose() {
    few.lose("order");
    loop.run_due();
  }
  // What the report of the run that asked first says of each action.
  model::RecoveryReport first_report() const {
    for (const model::RecoveryReport& report : dispatcher->reports())
      if (report.id == few.requests.at(0).recovery) return report;
    return {};
  }
  std::string actions() const {
    std::string out;
    const model::RecoveryReport report = first_report();
    for (const auto& action : report.actions)
      out += (out.empty() ? "" : ", ") + action.action.substr(0, action.action.find(' ')) + " " +
             std::string(to_string(action.result));
    return out;
  }
  std::string recover_by_hand(std::string& said_to_person) {
    dispatcher->recover("order", recover::Start::now, "alice",
                        [&said_to_person](base::Result<std::string> r) { said_to_person = r ? *r : r.error().text; });
    loop.run_due();
    return said_to_person;
  }
};

}  // namespace

TEST_CASE("slots of the node: so many at a time, one for a service, and they say who holds them") {
  fakes::FakeLoop loop;
  recover::NodeSlots slots(loop, 2);
  int freed = 0;
  slots.on_free([&freed] { ++freed; });
  std::string said;
  std::vector<loop::Handle> handles;
  const auto acquire = [&](const std::string& service, const std::string& id) {
    said.clear();
    handles.push_back(slots.acquire(
        {service, id, seconds{15}, {}},
        [&](const recover::SlotAnswer& a) {
          said = fmt::format("{}: {}", a.kind == Answer::yes ? "yes" : "no", a.guard.text);
          CHECK(a.fence == 0);
        },
        [](const recover::Guard&) { FAIL("lost"); }));
    CHECK(said == "");  // in a later turn
    loop.run_due();
    return said;
  };
  CHECK(acquire("cart", "1") == "yes: 0 of 2 places taken");
  CHECK(acquire("order", "2") == "yes: 1 of 2 places taken, by cart");
  CHECK(acquire("shop", "3") == "no: cart, order are being recovered; at most 2 at a time");
  CHECK(acquire("cart", "1") == "yes: 1 of 2 places taken, by order");
  CHECK(to_string(slots.seen("shop").at(0)) == "node_busy: cart, order are being recovered; at most 2 at a time");
  CHECK(slots.seen("cart").at(0).open);
  slots.release("shop");
  CHECK(freed == 0);
  slots.release("cart");
  CHECK(freed == 1);
  slots.change(1);
  CHECK(freed == 2);
  CHECK(acquire("shop", "3") == "no: order is being recovered; at most 1 at a time");
  CHECK(acquire("order", "2") == "yes: 0 of 1 places taken");
}

TEST_CASE("two that ask in one turn do not both get the last slot, and who does not wait any more is not answered") {
  fakes::FakeLoop loop;
  recover::NodeSlots slots(loop, 1);
  std::string said;
  const auto say = [&said](const recover::SlotAnswer& a) { said += a.kind == Answer::yes ? "yes " : "no "; };
  const auto one = slots.acquire({"cart", "1", seconds{15}, {}}, say, {});
  const auto two = slots.acquire({"order", "2", seconds{15}, {}}, say, {});
  slots.acquire({"shop", "3", seconds{15}, {}}, say, {}).reset();
  loop.run_due();
  CHECK(said == "yes no ");
}

TEST_CASE("nothing is written or done before a slot is given, and it is given back with the end of the run") {
  Site f;
  f.fire();
  CHECK(f.few.told == Lines{"acquire order"});
  CHECK(f.few.requests.at(0).ttl == seconds{15});
  CHECK(f.few.requests.at(0).deadline == f.loop.now() + recover::Plan::kSlotLimit);
  CHECK(f.table(state::Table::intents).empty());
  CHECK(f.status().next == "runs drain once it has a slot: 0 of 1 places taken");
  f.few.answer("order", Answer::yes, 42);
  f.loop.run_due();
  CHECK(f.drain.started.size() == 1);
  CHECK(recover::parse_run(f.table(state::Table::intents).at("order"))->fence == 42);
  CHECK(f.status().attempts_left == 2);
  f.loop.advance(seconds{1});
  f.dispatcher->on_run("order", "http", true);
  CHECK(f.few.told == Lines{"acquire order"});
  f.loop.advance(seconds{1});
  CHECK(f.few.told == Lines{"acquire order", "release order"});
  CHECK_FALSE(f.few.listens("order"));
  CHECK(f.dispatcher->reports().at(0).state == model::RecoveryState::recovered);
}

TEST_CASE("no, unknown and silence are not yes: the run waits, spends nothing and asks again") {
  struct Row {
    const char* name;
    std::optional<Answer> answer;
    const char* text;
  };
  for (const Row& row : {Row{"no", Answer::no, "node2 has it"}, Row{"unknown", Answer::unknown, "the store does not"},
                         Row{"silence", std::nullopt, "no answer within 10s"}}) {
    CAPTURE(row.name);
    Site f;
    f.fire();
    if (row.answer) f.answer(*row.answer);
    else f.loop.advance(seconds{10});
    CHECK(f.few.told == Lines{"acquire order", "release order"});
    CHECK(f.status().reason == GuardName::node_busy);
    CHECK(f.said.back() == "report blocked");
    CHECK(f.drain.started.empty());
    CHECK(f.status().attempts_left == 3);
    CHECK(f.table(state::Table::budgets).at("order").find("\"attempts_ms\":[]") != std::string::npos);
    f.answer(Answer::yes);  // too late
    CHECK(f.drain.started.empty());
    f.few.free();
    f.loop.run_due();
    f.dispatcher->on_run("order", "http", false);
    f.loop.run_due();
    CHECK(f.few.told.back() == "acquire order");
    f.answer(Answer::yes);
    CHECK(f.drain.started.size() == 1);
  }
}

TEST_CASE("what happens while a slot is asked for is heeded when it is given") {
  struct Row {
    const char* name;
    std::function<void(Site&)> what;
    GuardName reason;
    bool drains = false;
  };
  const Row rows[] = {
      {"alert resolved", [](Site& f) { f.alert("ServiceDown", model::AlertState::inactive); }, GuardName::none},
      {"healthy again", [](Site& f) { f.healthy(); }, GuardName::none},
      {"dependency down", [](Site& f) { f.service_view.health["redis"] = Health::down; }, GuardName::none, true},
      {"maintenance", [](Site& f) { f.dispatcher->begin_maintenance("order", {}, "", {}); }, GuardName::maintenance},
      {"aborted", [](Site& f) { f.dispatcher->abort("order", "alice", {}); }, GuardName::aborted},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Site f;
    f.fire();
    f.restart.started.clear();
    row.what(f);
    f.answer(Answer::yes);
    CHECK(f.restart.started.empty());
    CHECK(f.status().reason == row.reason);
    CHECK(f.few.told.back() == "release order");
    CHECK(f.drain.started.empty() != row.drains);  // what spares the restart needs no slot
    if (row.drains) continue;
    CHECK(f.table(state::Table::intents).empty());
  }
}

TEST_CASE("a plan that is changed or removed while it asks for a slot gives it back") {
  for (const bool removed : {false, true}) {
    CAPTURE(removed);
    Site f;
    f.fire();
    if (removed) f.use(nullptr);
    else {
      auto other = f.plan();
      other->text = "another";
      f.use(std::move(other));
    }
    CHECK(f.few.told == Lines{"acquire order", "release order"});
    f.loop.run_due();
    CHECK(f.dispatcher->statuses().size() == (removed ? 0 : 1));
    CHECK(f.drain.started.empty());
  }
}

TEST_CASE("a person is told whether the slot was given, and starts nothing twice meanwhile") {
  Site f;
  f.use_all();
  std::string first, second;
  CHECK(f.recover_by_hand(first) == "");
  CHECK(f.recover_by_hand(second).find("is under way") != std::string::npos);
  f.answer(Answer::unknown);
  CHECK(first == "order is not recovered: node_busy: the store does not answer");
  CHECK(f.table(state::Table::intents).empty());
  CHECK(f.status().attempts_left == 3);
  first.clear();
  f.recover_by_hand(first);
  f.dispatcher->abort("order", "alice", {});
  f.loop.run_due();
  CHECK(first == "order is not recovered: it was stopped before it began");
  CHECK(f.few.told.back() == "release order");
  first.clear();
  f.recover_by_hand(first);
  f.answer(Answer::yes);
  CHECK(first.find("has started") != std::string::npos);
}

TEST_CASE("a lost slot: what has begun is ended and verified, nothing disruptive follows, traffic comes back") {
  struct Row {
    const char* name;
    base::Millis when;  // after the slot was given
    bool heals;
    const char* actions;
    const char* state;
  };
  for (const Row& row : {
           Row{"while it drains", base::Millis{20}, false,
               "drain ok, systemd refused, reboot refused, page ok, undrain ok", "failed"},
           Row{"while it restarts", base::Millis{70}, true, "drain ok, systemd ok, undrain ok", "recovered"},
           Row{"while it restarts in vain", base::Millis{70}, false,
               "drain ok, systemd ok, reboot refused, page ok, undrain ok", "failed"},
           Row{"while it verifies", base::Millis{500}, true, "drain ok, systemd ok, undrain ok", "recovered"},
       }) {
    CAPTURE(row.name);
    Site f;
    f.fire();
    f.answer(Answer::yes);
    f.loop.advance(row.when);
    f.lose();
    CHECK(f.dispatcher->reports().at(0).reason == "node_busy: the slot was lost: its session ended");
    f.loop.advance(seconds{1});
    if (row.heals) f.dispatcher->on_run("order", "http", true);
    f.loop.advance(minutes{1});
    CHECK(f.actions() == row.actions);
    const auto asked = std::count(f.few.told.begin(), f.few.told.end(), "acquire order");
    CHECK((asked > 1) != row.heals);  // the next run asks for its own
    CHECK(to_string(f.first_report().state) == row.state);
    CHECK(f.undrain.started.size() == 1);
    CHECK(f.reboot.started.empty());
    CHECK(f.table(state::Table::intents).empty());
  }
}

TEST_CASE("a run that has its slot restarts nothing more when its group gets beyond the panic threshold") {
  for (const bool by_person : {false, true}) {
    CAPTURE(by_person);
    std::string said;  // also after the call
    Site f;
    if (by_person) {
      f.use_all();
      f.recover_by_hand(said);
    } else f.fire();
    f.answer(Answer::yes);
    f.loop.advance(seconds{1});  // drained and restarted, in vain; it verifies
    f.few.guards.push_back({GuardName::fleet_panic, false, "3 of 4 members of order are down"});
    f.loop.advance(minutes{1});
    CHECK(f.actions() == (by_person ? "drain ok, systemd ok, reboot ok, page ok, undrain ok"
                                    : "drain ok, systemd ok, reboot refused, page ok, undrain ok"));
  }
}

TEST_CASE("a slot that is lost before anything was done costs nothing") {
  Site f;
  f.fire();
  f.state.held = true;
  f.answer(Answer::yes);
  f.lose();
  f.state.held = false;
  f.state.sync();
  f.loop.advance(seconds{1});
  CHECK(f.drain.started.empty());
  CHECK(f.status().attempts_left == 3);
  CHECK(f.table(state::Table::intents).empty());
}

TEST_CASE("a dry run asks for no slot, and waits for what is seen of them") {
  Site f;
  f.few.guards[0] = {GuardName::node_busy, false, "node2 has it"};
  f.use_all(model::RecoveryMode::dry_run);
  f.alert("ServiceDown");
  f.loop.run_due();
  CHECK(f.status().reason == GuardName::node_busy);
  CHECK(f.status().next == "would run drain once node_busy allows it: node2 has it");
  f.few.guards[0].open = true;
  f.few.free();
  f.loop.run_due();
  f.dispatcher->on_run("order", "http", false);
  f.loop.run_due();
  CHECK(f.status().state == model::PlanState::verifying);
  CHECK(f.few.told.empty());
}

TEST_CASE("after a crash the unfinished run asks for its slot before any plan, and verifies without waiting for it") {
  Site f;
  f.fire();
  const std::string id = f.few.requests.at(0).recovery;
  f.answer(Answer::yes);
  f.dispatcher.reset();
  CHECK(f.few.told == Lines{"acquire order"});  // the agent that comes finds it
  f.few.told.clear();
  f.start();
  CHECK(f.few.told == Lines{"acquire order"});
  f.use_all();
  CHECK(f.few.told == Lines{"acquire order", "acquire order"});
  CHECK(f.few.requests.back().recovery == id);
  CHECK(f.status().state == model::PlanState::verifying);
  f.answer(Answer::no);
  f.loop.advance(seconds{31});
  // Not healthy, and the restart that would follow needs a slot.
  CHECK(f.restart.started.empty());
  CHECK(f.few.told.back() == "acquire order");
  f.answer(Answer::yes);
  CHECK(f.restart.started.size() == 1);
}

TEST_CASE("an unfinished run that no plan takes up gives its slot back") {
  Site f;
  f.fire();
  f.answer(Answer::yes);
  f.start();
  f.few.told.clear();
  f.use(nullptr);
  CHECK(f.few.told == Lines{"release order"});
}
