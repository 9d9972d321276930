// What an agent does for its member of a standby, as a table of what it sees.
#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "recover/standby/promotion.h"
#include "recover/standby/redis_server.h"
#include "standby_facts.h"

namespace {

using namespace std::chrono_literals;
using namespace recover;
using standby_facts::shown;

StandbySpec spec_of() {
  StandbySpec spec;
  spec.service = "order";
  spec.members = {{"a", {"10.0.0.1", 6379}}, {"b", {"10.0.0.2", 6379}}, {"c", {"10.0.0.3", 6379}}};
  spec.mode = model::RecoveryMode::enforce;
  spec.max_lag = 100;
  return spec;
}

const StandbySpec kSpec = spec_of();

ServerLook primary() {
  ServerLook look;
  look.answers = look.primary = true;
  look.run_id = "a1";
  look.offset = 1000;
  return look;
}

ServerLook replica(const std::string& run_id, std::int64_t offset) {
  ServerLook look;
  look.answers = look.closed = look.gate = look.gate_of_file = look.link_up = true;
  look.run_id = run_id;
  look.offset = offset;
  look.follows = "10.0.0.1:6379";
  return look;
}

ServerLook gone() { return standby_facts::gone("10.0.0.1:6379"); }

StandbyRecord held_by_a() {
  StandbyRecord record;
  record.primary = "a";
  record.fence = 7;
  record.run_id = "a1";
  record.starts_closed = true;
  return record;
}

// All is well, seen by `node`.
StandbyFacts calm(const std::string& node) {
  StandbyFacts facts = standby_facts::with_right_of_a(
      kSpec, node, held_by_a(), {{"a", primary()}, {"b", replica("b1", 1000)}, {"c", replica("c1", 990)}});
  facts.memory.run_id = facts.looks[node].run_id;
  facts.memory.started_closed = true;
  remember(facts.memory, facts);
  return facts;
}

// The primary's agent has given up; b is the candidate.
StandbyFacts given_up() { return standby_facts::released(calm("b"), gone()); }

}  // namespace

TEST_CASE("nothing is done while all is well") {
  CHECK(shown(calm("a")) == "none");
  CHECK(shown(calm("b")) == "none: primary_lease_alive");
  CHECK(shown(calm("c")) == "none: primary_lease_alive");
}

TEST_CASE("a promotion needs every condition, and says which one is not met") {
  using F = StandbyFacts;
  CHECK(shown(given_up()) == "take");
  const auto with = [](const std::function<void(F&)>& change) { return shown(given_up(), change); };
  CHECK(with([](F& f) { f.lease = false; }) == "none: store_unknown");
  CHECK(with([](F& f) { f.seen.known = false; }) == "none: store_unknown");
  CHECK(with([](F& f) { f.seen.unreadable = true; }) == "none: store_unknown");
  CHECK(with([](F& f) { f.looks["c"].managed = "sentinel"; }) == "none: managed_by_sentinel");
  CHECK(with([](F& f) { f.looks["b"].managed = "cluster"; }) == "none: managed_by_cluster");
  CHECK(with([](F& f) { f.seen.right = StandbyRight{"c", false, 9, 1}; }) == "none: another_is_elected");
  CHECK(with([](F& f) { f.looks["a"] = primary(); }) == "none: primary_answers");
  CHECK(with([](F& f) { f.looks["c"].closed = false; }) == "none: two_primaries");
  CHECK(with([](F& f) { f.looks["c"] = gone(); }) == "none: member_unknown");
  CHECK(with([](F& f) { f.health = model::Health::down; }) == "none: candidate_not_ready");
  CHECK(with([](F& f) { f.health = model::Health::unknown; }) == "none: candidate_not_ready");
  CHECK(with([](F& f) { f.looks["b"].syncing = true; }) == "none: candidate_not_ready");
  CHECK(with([](F& f) { f.memory.started_closed = false; }) == "none: starts_open");
  CHECK(with([](F& f) { f.memory = {{}, 0, {}, {}, {}, "b1", true, {}, false}; }).starts_with("none: not_in_sync"));
  CHECK(with([](F& f) { f.memory.synced -= 31s; }) == "none: not_in_sync");
  CHECK(with([](F& f) { f.looks["b"].offset = 1; }) == "none: candidate_lag another_is_ahead");
  CHECK(with([](F& f) { f.looks["b"].offset = 950; }) == "none: another_is_ahead");
  CHECK(with([](F& f) { f.looks["c"].offset = 1000; }) == "take");  // of two that have as much the store elects one
  CHECK(with([](F& f) { f.seen.record->offset = 1101; }) == "none: candidate_lag");
  CHECK(with([](F& f) { f.seen.record->promoted = f.wall_now - 9min; }) == "none: cooldown");
  CHECK(with([](F& f) { f.seen.record->promoted = f.wall_now - 11min; }) == "take");
  CHECK(with([](F& f) { f.seen.record->promoted = f.wall_now + 5min; }) == "none: cooldown");
  CHECK(with([](F& f) { f.seen.record->promoted = f.wall_now + 24h; }) == "take");  // by a clock that was ahead
  CHECK(with([](F& f) { f.memory.fence_failed = f.now - 9s; }) == "none: fence_not_proven");
}

TEST_CASE("what a veto program forbids is not tried for a while") {
  StandbySpec asks = kSpec;
  asks.veto = {"/bin/veto"};
  const StandbyFacts before = given_up();
  StandbyFacts facts{asks,         before.node,   before.lease,  false,      before.seen,
                     before.looks, before.memory, before.health, before.now, before.wall_now};
  CHECK(shown(facts) == "take");
  facts.memory.vetoed = facts.now - 9s;
  CHECK(shown(facts) == "none: vetoed");
  facts.seen.right = StandbyRight{"b", true, 9, 1000};
  CHECK(shown(facts) == "drop: vetoed");
  facts.memory.vetoed = facts.now - 11s;
  CHECK(shown(facts) == "fence");
}

TEST_CASE("a program fences only what enough agents do not reach; what a server or its agent says needs no witness") {
  StandbySpec wants = kSpec;
  wants.fence = {"/bin/fence"};
  wants.observers = 2;
  StandbyFacts before = calm("b");
  before.seen.right.reset();
  before.looks["a"] = gone();
  const auto with = [&](std::vector<StandbyObservation> observations) {
    StandbyFacts facts{wants,        before.node,   before.lease,  false,      before.seen,
                       before.looks, before.memory, before.health, before.now, before.wall_now};
    facts.seen.observations = std::move(observations);
    return facts;
  };
  CHECK(shown(with({})) == "none: too_few_observers");
  CHECK(shown(with({{"c", false, {}}})) == "none: too_few_observers");
  CHECK(shown(with({{"c", false, {"b"}}})) == "none: too_few_observers");
  CHECK(shown(with({{"c", false, {"a"}}})) == "take");
  // Its own word counts once, that of the primary's agent not, and strangers are none of the members.
  CHECK(shown(with({{"b", true, {"a"}}})) == "none: too_few_observers");
  CHECK(shown(with({{"a", false, {"a"}}})) == "none: too_few_observers");
  CHECK(shown(with({{"x", false, {"a"}}})) == "none: too_few_observers");
  StandbyFacts told = with({});
  told.seen.record->state = StandbyState::released;
  told.seen.record->offset = 1000;
  CHECK(shown(told) == "take");
}

TEST_CASE("an empty replica that is still copying is never promoted") {
  CHECK(shown(given_up(), [](StandbyFacts& f) {
          f.looks["b"].offset = 0;
          f.looks["b"].link_up = false;
        }).starts_with("none: not_in_sync"));
}

TEST_CASE("a server that may take writes is fenced before: by itself, by its agent, or by a program") {
  // The agent of a is gone, and its right with it.
  StandbyFacts lost = calm("b");
  lost.seen.right.reset();
  lost.looks["a"] = gone();
  CHECK(shown(lost) == "none: fence_not_proven");
  StandbySpec fenced = kSpec;
  fenced.fence = {"/bin/fence"};
  StandbyFacts by_program{fenced,     lost.node,   lost.lease,  false,    lost.seen,
                          lost.looks, lost.memory, lost.health, lost.now, lost.wall_now};
  CHECK(shown(by_program) == "take");
  // It answers, closed by its agent before that lost its lease: it can be made a replica.
  CHECK(shown(lost, [](StandbyFacts& f) {
          f.looks["a"] = primary();
          f.looks["a"].closed = f.looks["a"].gate = true;
        }) == "take");
  // One that takes writes when it is started could do so behind any of these proofs.
  CHECK(shown(given_up(), [](StandbyFacts& f) { f.seen.record->starts_closed = false; }) == "none: fence_not_proven");
  // Long ago: what it wrote since is not known.
  by_program.memory.right_seen = by_program.memory.seen + 31s;
  CHECK(shown(by_program).starts_with("none: not_in_sync"));
}

TEST_CASE("what people work on is theirs: nothing begins, what is dangerous is closed, what cannot go back goes on") {
  using F = StandbyFacts;
  for (const bool paused : {false, true}) {
    const std::string gate = paused ? "paused" : "maintenance";
    const auto people = [&](
                            StandbyFacts facts, const std::function<void(F&)>& change = [](F&) {}) {
      (paused ? facts.paused : facts.maintenance) = "alice: upgrade";
      return shown(std::move(facts), change);
    };
    CHECK(people(given_up()) == "none: " + gate);
    CHECK(people(given_up(), [](F& f) { f.seen.right = StandbyRight{"b", true, 9, 1000}; }) == "drop: " + gate);
    CHECK(people(calm("a"), [](F& f) {
            f.looks["a"] = gone();
            f.health = model::Health::down;
          }) == "none: " + gate);
    CHECK(people(calm("a"), [](F& f) { f.looks["a"] = replica("a1", 1000); }) == "none: " + gate);
    // A replica that a person has made a primary.
    CHECK(people(calm("b"), [](F& f) { f.looks["b"].primary = true; }) == "none: primary_lease_alive " + gate);
    CHECK(people(calm("b"), [](F& f) { f.looks["b"].closed = false; }) == "close: primary_lease_alive");
    CHECK(people(calm("a"), [](F& f) { f.lease = false; }) == "close: store_unknown");
    CHECK(people(calm("a"), [](F& f) { f.looks["a"].closed = f.looks["a"].gate = true; }) == "open");
    StandbyFacts fenced = given_up();
    fenced.seen.right = StandbyRight{"b", true, 9, 1000};
    fenced.seen.record->primary = "b";
    fenced.seen.record->state = StandbyState::promoting;
    fenced.seen.record->fence = 9;
    CHECK(people(fenced) == "promote");
  }
}

TEST_CASE("in mode ask a person lets a promotion begin") {
  StandbySpec ask = kSpec;
  ask.mode = model::RecoveryMode::ask;
  const StandbyFacts base = given_up();
  StandbyFacts facts{ask,        base.node,   base.lease,  false,    base.seen,
                     base.looks, base.memory, base.health, base.now, base.wall_now};
  CHECK(shown(facts) == "none: not_approved");
  facts.approved = true;
  CHECK(shown(facts) == "take");
}

TEST_CASE("a promotion goes from the right to the fence, the record, a closed primary and an open one") {
  StandbyFacts facts = given_up();
  facts.seen.right = StandbyRight{"b", true, 9, 1000};
  CHECK(shown(facts) == "fence");
  // Refused now: the right is given back. One that was restarted waits for its first probe.
  CHECK(shown(facts, [](StandbyFacts& f) { f.looks["a"] = primary(); }) == "drop: primary_answers");
  CHECK(shown(facts, [](StandbyFacts& f) { f.health = model::Health::unknown; }) == "none: candidate_not_ready");
  // What it knew when it was elected counts for an agent that was restarted.
  CHECK(shown(facts, [](StandbyFacts& f) { f.memory = {{}, 0, {}, {}, {}, "b1", true, {}, false}; }) == "fence");
  facts.seen.record = held_by_a();
  facts.seen.record->primary = "b";
  facts.seen.record->state = StandbyState::promoting;
  facts.seen.record->fence = 9;
  facts.seen.record->run_id = "b1";
  CHECK(shown(facts) == "promote");
  CHECK(shown(facts, [](StandbyFacts& f) { f.looks["b"].gate = false; }) == "close");
  facts.looks["b"].primary = true;
  CHECK(shown(facts) == "complete");
  facts.seen.record->state = StandbyState::held;
  CHECK(shown(facts) == "open");
  facts.looks["b"].closed = facts.looks["b"].gate = false;
  CHECK(shown(facts) == "none");
}

TEST_CASE("another one goes on where a candidate was lost in the middle, since that has taken no write") {
  StandbyFacts facts = calm("c");
  facts.looks["a"] = gone();
  facts.seen.right.reset();
  facts.seen.record->primary = "b";
  facts.seen.record->state = StandbyState::promoting;
  facts.seen.record->run_id = "b1";
  facts.seen.record->must_rejoin = {"a"};
  remember(facts.memory, facts);
  CHECK(shown(facts) == "take");
  facts.looks["b"] = gone();  // and nothing says that it stays closed
  CHECK(shown(facts) == "none: fence_not_proven");
  facts.looks["b"] = replica("b1", 1000);
  facts.seen.record->state = StandbyState::held;  // it may have taken some
  remember(facts.memory, facts);
  CHECK(shown(facts).starts_with("none: not_in_sync"));
}

TEST_CASE("a primary that loses its right takes no writes, and takes them again if it is still the primary") {
  using F = StandbyFacts;
  const auto with = [](const std::function<void(F&)>& change) { return shown(calm("a"), change); };
  CHECK(with([](F& f) { f.lease = false; }) == "close: store_unknown");
  CHECK(with([](F& f) { f.lease = false, f.settling = true; }) == "none: store_unknown");  // it has just started
  CHECK(with([](F& f) { f.seen.known = false; }) == "none: store_unknown");                // the lease counts
  CHECK(with([](F& f) { f.seen.right.reset(); }) == "take");
  CHECK(with([](F& f) { f.seen.right->fence = 8; }) == "adopt");
  CHECK(with([](F& f) { f.seen.right->mine = false; }) == "none: primary_lease_alive");  // of the agent before
  CHECK(with([](F& f) {
          f.seen.right = StandbyRight{"b", false, 8, 1};
          f.seen.record->primary = "b";
        }) == "close: primary_lease_alive");
  CHECK(with([](F& f) { f.looks["a"].closed = f.looks["a"].gate = true; }) == "open");
  // Elected again while another one takes writes.
  CHECK(with([](F& f) {
          f.seen.right.reset();
          f.looks["b"].closed = false;
        }) == "close: two_primaries");
}

TEST_CASE("a primary that is gone is given up if another one can take over") {
  using F = StandbyFacts;
  StandbyFacts facts = calm("a");
  facts.looks["a"] = gone();
  CHECK(shown(facts) == "none");  // its probes say when it is down
  facts.health = model::Health::down;
  CHECK(shown(facts) == "give_up");
  const auto with = [&](const std::function<void(F&)>& change) { return shown(facts, change); };
  CHECK(with([](F& f) { f.looks["b"] = f.looks["c"] = gone(); }) == "none: no_candidate");
  CHECK(with([](F& f) { f.looks["b"].offset = f.looks["c"].offset = 1; }) == "none: no_candidate");
  CHECK(with([](F& f) { f.seen.record->promoted = f.wall_now - 1min; }) == "none: cooldown");
  CHECK(with([](F& f) { f.seen.record->state = StandbyState::released; }) == "drop");
}

TEST_CASE("a primary that was restarted goes on with its append-only file only") {
  StandbyFacts facts = calm("a");
  facts.looks["a"].run_id = facts.memory.run_id = "a2";
  facts.looks["a"].closed = facts.looks["a"].gate = facts.looks["a"].gate_of_file = true;
  CHECK(shown(facts) == "give_up: restarted_without_aof");
  facts.looks["a"].durable = true;
  CHECK(shown(facts) == "adopt");
}

TEST_CASE("the old primary rejoins when a person lets it, the others follow by themselves") {
  StandbyFacts facts = calm("a");
  facts.seen.record->primary = "b";
  facts.seen.record->must_rejoin = {"a"};
  facts.seen.right = StandbyRight{"b", false, 9, 1};
  facts.looks["a"].closed = facts.looks["a"].gate = true;
  facts.looks["b"] = primary();
  CHECK(shown(facts) == "follow: primary_lease_alive");
  StandbySpec ask = kSpec;
  ask.mode = model::RecoveryMode::ask;
  StandbyFacts asked{ask,         facts.node,   facts.lease,  false,     facts.seen,
                     facts.looks, facts.memory, facts.health, facts.now, facts.wall_now};
  CHECK(shown(asked) == "none: primary_lease_alive not_approved");
  asked.approved = true;
  CHECK(shown(asked) == "follow: primary_lease_alive");
  asked.seen.record->must_rejoin.clear();
  asked.approved = false;
  CHECK(shown(asked) == "follow: primary_lease_alive");
  facts.looks["a"] = replica("a2", 5);
  facts.memory.run_id = "a2";
  facts.looks["a"].follows = "10.0.0.2:6379";
  CHECK(shown(facts) == "rejoined: primary_lease_alive");
  facts.looks["a"].link_up = false;
  CHECK(shown(facts) == "none: primary_lease_alive");
}

TEST_CASE("a primary that is no member in this agent's configuration is not followed") {
  StandbyFacts facts = calm("b");
  facts.seen.record->primary = "d";
  facts.seen.right = StandbyRight{"d", false, 9, 1};
  CHECK(shown(facts) == "none: primary_lease_alive member_unknown");
  facts.looks["b"].closed = false;
  CHECK(shown(facts) == "close: primary_lease_alive");
}

TEST_CASE("how far a primary had come counts for the process that has come so far") {
  StandbyFacts facts = calm("b");
  CHECK(facts.memory.offset == 1000);
  facts.seen.record->run_id = facts.looks["a"].run_id = "a2";  // restarted with its append-only file
  facts.looks["a"].offset = 20;
  remember(facts.memory, facts);
  CHECK(facts.memory.offset == 20);
  facts.looks["a"].offset = 15;
  remember(facts.memory, facts);
  CHECK(facts.memory.offset == 20);
}

TEST_CASE("the first primary is the only one there is, and every server says so") {
  using F = StandbyFacts;
  StandbyFacts facts = calm("a");
  facts.seen.record.reset();
  facts.seen.right.reset();
  facts.looks["a"].closed = facts.looks["a"].gate = true;
  CHECK(shown(facts) == "take");
  const auto with = [&](const std::function<void(F&)>& change) { return shown(facts, change); };
  CHECK(with([](F& f) { f.seen.right = StandbyRight{"a", true, 7, 0}; }) == "adopt");
  CHECK(with([](F& f) { f.looks["b"].primary = true; }) == "none: two_primaries");
  CHECK(with([](F& f) { f.looks["b"] = gone(); }) == "none: member_unknown");
  CHECK(with([](F& f) { f.memory.started_closed = false; }) == "none: starts_open");
  // Nothing is fettle's to close before that.
  CHECK(with([](F& f) {
          f.lease = false;
          f.looks["a"].closed = false;
        }) == "none: store_unknown");
}

TEST_CASE("what a process was started with is remembered, and what an agent closed does not count as that") {
  StandbyFacts facts = calm("b");
  facts.memory = {};
  facts.looks["b"].gate_of_file = false;
  remember(facts.memory, facts);
  CHECK_FALSE(facts.memory.started_closed);
  facts.memory = {};
  facts.looks["b"].gate_of_file = true;
  remember(facts.memory, facts);
  CHECK(facts.memory.started_closed);
  // An agent that is restarted finds its primary open, and reads in the record how it was started.
  StandbyFacts open = calm("a");
  open.memory = {};
  remember(open.memory, open);
  CHECK(open.memory.started_closed);
  open.memory = {};
  open.seen.known = false;
  remember(open.memory, open);
  CHECK(open.memory.run_id.empty());  // not before the store has said
}

TEST_CASE("a record is read as it was written, and nothing else is") {
  StandbyRecord record = held_by_a();
  record.must_rejoin = {"b", "c"};
  record.promoted = base::wall_from_ms(1'700'000'000'000);
  record.offset = 12;
  CHECK(parse_standby_record(to_json(record)) == record);
  for (const char* bad :
       {"", "{}", "[]", R"({"primary":"a","state":"open","fence":1})", R"({"state":"held","fence":1})"})
    CHECK_FALSE(parse_standby_record(bad));
}

TEST_CASE("a look reads what Redis says, and is none without that") {
  RedisAnswer answer;
  const auto bulk = [](const std::string& text) { return encoding::RedisReply{'$', text, {}}; };
  const auto list = [&](const std::vector<std::string>& texts) {
    encoding::RedisReply out{'*', "", {}};
    for (const std::string& each : texts) out.items.push_back(bulk(each));
    return out;
  };
  const std::string info =
      "# "
      "Server\r\nrun_id:b1\r\nloading:0\r\naof_enabled:1\r\nrole:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:6379\r\n"
      "master_link_status:up\r\nmaster_sync_in_progress:0\r\nslave_repl_offset:56\r\ncluster_enabled:0\r\n";
  answer.replies = {bulk(info), list({"min-replicas-to-write", "1000", "min-replicas-max-lag", "10"}),
                    list({"replica-read-only", "yes"}), list({"__sentinel__:hello", "0"})};
  ServerLook look = read_look(answer);
  CHECK((look.answers && look.closed && look.gate && look.gate_of_file && look.link_up && look.durable));
  CHECK(look.follows == "10.0.0.1:6379");
  CHECK(look.offset == 56);
  CHECK(look.managed.empty());
  answer.replies[3] = list({"__sentinel__:hello", "1"});
  CHECK(read_look(answer).managed == "sentinel");
  answer.replies[2] = list({"replica-read-only", "no"});
  CHECK_FALSE(read_look(answer).closed);
  answer.replies[1] = list({"min-replicas-to-write", "1000", "min-replicas-max-lag", "0"});  // which switches it off
  CHECK_FALSE(read_look(answer).gate);
  answer.replies[1] = list({"min-replicas-to-write", "1000001", "min-replicas-max-lag", "10"});
  CHECK((read_look(answer).gate && !read_look(answer).gate_of_file));
  answer.replies[1] = list({});  // CONFIG was renamed or is not allowed
  CHECK_FALSE(read_look(answer).answers);
}
