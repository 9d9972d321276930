// What an agent does for its PostgreSQL server in a standby: what differs from Redis, since no agent can close it.
#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "recover/standby/postgres_server.h"
#include "recover/standby/promotion.h"
#include "standby_facts.h"

namespace {

using namespace std::chrono_literals;
using namespace recover;
using standby_facts::shown;

StandbySpec spec_of() {
  StandbySpec spec;
  spec.service = "order";
  spec.kind = StandbyKind::postgres;
  spec.members = {{"a", {"10.0.0.1", 5432}}, {"b", {"10.0.0.2", 5432}}, {"c", {"10.0.0.3", 5432}}};
  spec.mode = model::RecoveryMode::enforce;
  spec.max_lag = 100;
  spec.fence = {"/bin/fence"};
  spec.rejoin = {"/bin/rejoin"};
  return spec;
}

const StandbySpec kSpec = spec_of();

ServerLook primary(std::uint64_t timeline = 3) {
  ServerLook look;
  look.answers = look.primary = look.durable = true;
  look.run_id = "a1";
  look.system = "71";
  look.timeline = timeline;
  look.offset = 1000;
  return look;
}

ServerLook standby(const std::string& name, std::int64_t offset) {
  ServerLook look;
  look.answers = look.closed = look.link_up = look.durable = true;
  look.run_id = name + "1";
  look.system = "71";
  look.timeline = 3;
  look.offset = offset;
  look.name = name;
  look.follows = "10.0.0.1:5432";
  return look;
}

ServerLook gone() { return standby_facts::gone("10.0.0.1:5432"); }

StandbyRecord held_by_a() {
  StandbyRecord record;
  record.primary = "a";
  record.fence = 7;
  record.run_id = "a1";
  record.system = "71";
  record.timeline = 3;
  return record;
}

StandbyFacts calm(const std::string& node) {
  StandbyFacts facts = standby_facts::with_right_of_a(
      kSpec, node, held_by_a(), {{"a", primary()}, {"b", standby("b", 1000)}, {"c", standby("c", 990)}});
  remember(facts.memory, facts);
  facts.memory.written = 7;
  return facts;
}

// The primary's agent has given up; b is the candidate.
StandbyFacts given_up() { return standby_facts::released(calm("b"), gone()); }

using F = StandbyFacts;

}  // namespace

TEST_CASE("PostgreSQL: nothing is done while all is well") {
  CHECK(shown(calm("a")) == "none");
  CHECK(shown(calm("b")) == "none: primary_lease_alive");
  // One that the agent before has left: it is written once, so that it is known to take writes.
  CHECK(shown(calm("a"), [](F& f) { f.memory.written = 6; }) == "open");
}

TEST_CASE("PostgreSQL: a candidate is judged by its data and its timeline") {
  const auto with = [](const std::function<void(F&)>& change) { return shown(given_up(), change); };
  CHECK(shown(given_up()) == "take");
  CHECK(with([](F& f) { f.looks["a"] = primary(); }) == "none: primary_answers");
  CHECK(with([](F& f) { f.looks["c"] = primary(4); }) == "none: two_primaries");
  CHECK(with([](F& f) { f.looks["b"].unfit = "it may not be promoted"; }) == "none: candidate_not_ready");
  CHECK(with([](F& f) { f.looks["b"].offset = 850; }) == "none: candidate_lag another_is_ahead");
  CHECK(with([](F& f) { f.memory.timeline = 4; }) == "none: other_timeline");
  CHECK(with([](F& f) { f.looks["b"].system = "72"; }) == "none: other_timeline");
  // After its receiver has ended the control file may tell of an earlier one.
  CHECK(with([](F& f) { f.looks["b"].timeline = 2; }) == "take");
  CHECK(with([](F& f) { f.looks["c"].timeline = 4; }) == "none: another_is_ahead");
  CHECK(with([](F& f) { f.looks["c"].timeline = 2, f.looks["c"].offset = 5000; }) == "take");
  // An agent that was restarted in between goes by the record.
  CHECK(with([](F& f) { f.memory.timeline = 0, f.seen.record->timeline = 2; }) == "none: other_timeline");
}

TEST_CASE("PostgreSQL: where the primary waits for standbys, the candidate must have been one of them") {
  const auto when = [](const std::vector<std::string>& names) {
    StandbyFacts facts = calm("b");
    facts.looks["a"].synchronous = true;
    facts.looks["a"].sync = names;
    remember(facts.memory, facts);
    StandbyFacts lost = given_up();
    lost.memory = facts.memory;
    return shown(lost);
  };
  CHECK(when({"b"}) == "take");
  CHECK(when({"c", "b"}) == "take");
  CHECK(when({"c"}) == "none: not_in_sync");
  CHECK(when({}) == "none: not_in_sync");
  // A primary that waits and has none acknowledges nothing; and a look without the own server says nothing of it.
  for (const bool answers : {true, false}) {
    StandbyFacts facts = calm("b");
    facts.looks["a"].synchronous = true;
    facts.looks["a"].sync = {"b"};
    remember(facts.memory, facts);
    if (answers) facts.looks["a"].sync.clear();
    else facts.looks["b"] = gone();
    remember(facts.memory, facts);
    StandbyFacts lost = given_up();
    lost.memory = facts.memory;
    CHECK(shown(lost) == "take");
  }
}

TEST_CASE("PostgreSQL: what manages the servers is left in charge") {
  for (const std::string manager : {"patroni", "repmgr", "pg_auto_failover", "cloudnative_pg"})
    CHECK(shown(given_up(), [&](F& f) { f.looks["c"].managed = manager; }) == "none: managed_by_" + manager);
}

TEST_CASE(
    "PostgreSQL: a promotion opens the server, and is fenced by its agent, by the server's word or by a program") {
  StandbyFacts facts = given_up();
  facts.seen.right = StandbyRight{"b", true, 9, 1000};
  CHECK(shown(facts) == "fence");
  facts.seen.record = held_by_a();
  facts.seen.record->primary = "b";
  facts.seen.record->state = StandbyState::promoting;
  facts.seen.record->fence = 9;
  facts.seen.record->run_id = "b1";
  CHECK(shown(facts) == "promote");
  facts.looks["b"] = primary(4);
  facts.looks["b"].run_id = "b1";
  CHECK(shown(facts) == "complete");
  facts.seen.record->state = StandbyState::held;
  CHECK(shown(facts) == "open");
  facts.memory.written = 9;
  CHECK(shown(facts) == "none");
}

TEST_CASE(
    "PostgreSQL: a primary that loses its right is closed, and promoted again where it was started as a standby") {
  const auto with = [](const std::function<void(F&)>& change) { return shown(calm("a"), change); };
  CHECK(with([](F& f) { f.lease = false; }) == "close: store_unknown");
  CHECK(with([](F& f) { f.lease = false, f.looks["a"] = gone(); }) == "none: store_unknown");
  const auto restarted = [](F& f) {
    f.looks["a"] = standby("a", 1000);
    f.looks["a"].run_id = f.memory.run_id = "a2";
    f.looks["a"].link_up = false;
    f.looks["a"].follows = "";
  };
  CHECK(with([&](F& f) { restarted(f), f.seen.right.reset(); }) == "take");
  CHECK(with([&](F& f) { restarted(f), f.seen.right->fence = 8; }) == "adopt");
  CHECK(with([&](F& f) { restarted(f); }) == "adopt");
  CHECK(with([&](F& f) { restarted(f), f.seen.record->state = StandbyState::promoting; }) == "promote");
  CHECK(with([&](F& f) { restarted(f), f.seen.right.reset(), f.looks["b"] = primary(4); }) == "none: two_primaries");
  CHECK(with([&](F& f) { restarted(f), f.seen.right.reset(), f.looks["a"].timeline = 2, f.memory.own_timeline = 2; }) ==
        "none: other_timeline");
  // A new process that is the primary goes on as it is.
  CHECK(with([](F& f) { f.looks["a"].run_id = "a2"; }) == "adopt");
}

TEST_CASE("PostgreSQL: a candidate that is lost in mid-promotion may be open, whatever it says") {
  StandbyFacts facts = calm("c");
  facts.looks["a"] = gone();
  facts.seen.right.reset();
  facts.seen.record->primary = "b";
  facts.seen.record->state = StandbyState::promoting;
  facts.seen.record->run_id = "b1";
  facts.seen.record->must_rejoin = {"a"};
  remember(facts.memory, facts);
  CHECK(shown(facts) == "take");  // the fence program is there
  facts.memory.fence_failed = facts.now - 1s;
  CHECK(shown(facts) == "none: fence_not_proven");
  facts.memory.fence_failed = {};
  // It was seen to be open, on a timeline that the one here has not.
  facts.looks["b"] = primary(4);
  facts.looks["b"].run_id = "b1";
  remember(facts.memory, facts);
  facts.looks["b"] = gone();
  CHECK(shown(facts) == "none: other_timeline");
}

TEST_CASE("PostgreSQL: the old primary never goes on, it rejoins by its program") {
  StandbyFacts facts = calm("a");
  facts.seen.record->primary = "b";
  facts.seen.record->must_rejoin = {"a"};
  facts.seen.right = StandbyRight{"b", false, 9, 1};
  facts.looks["b"] = primary(4);
  const auto with = [&](const std::function<void(F&)>& change) { return shown(facts, change); };
  CHECK(shown(facts) == "close: primary_lease_alive");  // thawed
  facts.looks["a"] = gone();
  CHECK(shown(facts) == "follow: primary_lease_alive");
  CHECK(with([](F& f) { f.maintenance = "alice: upgrade"; }) == "none: primary_lease_alive maintenance");
  CHECK(with([](F& f) { f.seen.record->must_rejoin.clear(); }) == "none: primary_lease_alive");
  StandbySpec ask = kSpec, no_program = kSpec;
  ask.mode = model::RecoveryMode::ask;
  no_program.rejoin.clear();
  const auto by = [&](const StandbySpec& spec) {
    return shown(StandbyFacts{spec, facts.node, facts.lease, false, facts.seen, facts.looks, facts.memory, facts.health,
                              facts.now, facts.wall_now});
  };
  CHECK(by(ask) == "none: primary_lease_alive not_approved");
  CHECK(by(no_program) == "none: primary_lease_alive no_rejoin_program");
  facts.looks["a"] = standby("a", 1000);
  facts.looks["a"].follows = "10.0.0.2:5432";
  CHECK(shown(facts) == "rejoined: primary_lease_alive");
  // Another one follows by itself, by its own primary_conninfo.
  facts.seen.record->must_rejoin.clear();
  facts.looks["a"].follows = "10.0.0.1:5432";
  CHECK(shown(facts) == "none: primary_lease_alive not_in_sync");
}

TEST_CASE("PostgreSQL: the first primary is the only one, and all come from one initdb") {
  StandbyFacts facts = calm("a");
  facts.seen.record.reset();
  facts.seen.right.reset();
  CHECK(shown(facts) == "take");
  CHECK(shown(facts, [](F& f) { f.looks["c"].system = "72"; }) == "none: other_timeline");
  CHECK(shown(facts, [](F& f) { f.looks["c"] = primary(); }) == "none: two_primaries");
}

TEST_CASE("PostgreSQL: a record is read as it was written") {
  CHECK(parse_standby_record(to_json(held_by_a())) == held_by_a());
}

TEST_CASE("PostgreSQL: a look reads what the server says, and is none without that") {
  using Row = std::vector<std::optional<std::string>>;
  const auto look = [](Row row) {
    PostgresReply reply;
    reply.answers.push_back({{}, {std::move(row)}});
    return read_postgres_look(reply);
  };
  const std::optional<std::string> null;
  const Row primary_row{"f", "77", "1796036862.619888", "50331648", null, "2", null, null, null, "a", "t", "b,c",
                        "t", null};
  const ServerLook first = look(primary_row);
  CHECK((first.answers && first.primary && !first.closed && first.synchronous && first.unfit.empty()));
  CHECK(first.system == "77");
  CHECK(first.timeline == 2);
  CHECK(first.offset == 50331648);
  CHECK(first.sync == std::vector<std::string>{"b", "c"});
  const Row standby_row{"t",   "77",     "1796036866.066096", "50331900", "50331800", "2",
                        "1.5", "t",      "10.0.0.1:5432",     "b",        "f",        null,
                        "f",   "patroni"};
  const ServerLook second = look(standby_row);
  CHECK((second.answers && !second.primary && second.closed && second.link_up && !second.unfit.empty()));
  CHECK(second.offset - second.replayed == 100);
  CHECK(second.behind == 1.5);
  CHECK(second.follows == "10.0.0.1:5432");
  CHECK(second.name == "b");
  CHECK(second.managed == "patroni");
  CHECK_FALSE(look({}).answers);
  Row broken = primary_row;
  broken[3] = "much";
  CHECK_FALSE(look(broken).answers);
  PostgresReply refused;
  refused.refused = true;
  refused.trouble = "connect: Connection refused";
  CHECK(read_postgres_look(refused).refused);
}
