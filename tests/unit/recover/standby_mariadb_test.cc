// What an agent does for its MariaDB server in a standby: what differs from Redis, whose moves it shares.
#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "recover/standby/mariadb_look.h"
#include "recover/standby/promotion.h"
#include "standby_facts.h"

namespace {

using namespace std::chrono_literals;
using namespace recover;
using standby_facts::shown;

StandbySpec spec_of() {
  StandbySpec spec;
  spec.service = "order";
  spec.kind = StandbyKind::mariadb;
  spec.members = {{"a", {"10.0.0.1", 3306}}, {"b", {"10.0.0.2", 3306}}, {"c", {"10.0.0.3", 3306}}};
  spec.mode = model::RecoveryMode::enforce;
  spec.max_lag = 20;
  spec.rejoin = {"/bin/rejoin"};
  return spec;
}

const StandbySpec kSpec = spec_of();

ServerLook primary() {
  ServerLook look;
  look.answers = look.primary = look.durable = true;
  look.run_id = "100";
  look.offset = 1000;
  return look;
}

ServerLook closed_primary() {
  ServerLook look = primary();
  look.closed = look.gate = look.gate_of_file = true;
  return look;
}

ServerLook replica(const std::string& run_id, std::int64_t offset) {
  ServerLook look;
  look.answers = look.closed = look.gate = look.gate_of_file = look.link_up = look.durable = true;
  look.run_id = run_id;
  look.offset = offset;
  look.follows = "10.0.0.1:3306";
  return look;
}

ServerLook gone() { return standby_facts::gone("10.0.0.1:3306"); }

StandbyRecord held_by_a() {
  StandbyRecord record;
  record.primary = "a";
  record.fence = 7;
  record.run_id = "100";
  record.starts_closed = true;
  return record;
}

StandbyFacts calm(const std::string& node) {
  StandbyFacts facts = standby_facts::with_right_of_a(
      kSpec, node, held_by_a(), {{"a", primary()}, {"b", replica("200", 1000)}, {"c", replica("300", 990)}});
  remember(facts.memory, facts);
  return facts;
}

// The primary's agent has given up; b is the candidate.
StandbyFacts given_up() { return standby_facts::released(calm("b"), gone()); }

// b is the primary, a has been.
StandbyFacts old_primary(ServerLook look) {
  StandbyFacts facts = calm("a");
  facts.seen.record->primary = "b";
  facts.seen.record->must_rejoin = {"a"};
  facts.seen.right = StandbyRight{"b", false, 9, 1};
  facts.looks["b"] = primary();
  facts.looks["a"] = std::move(look);
  return facts;
}

using F = StandbyFacts;

}  // namespace

TEST_CASE("MariaDB: a candidate is judged by its transactions") {
  const auto with = [](const std::function<void(F&)>& change) { return shown(given_up(), change); };
  CHECK(shown(calm("a")) == "none");
  CHECK(shown(calm("b")) == "none: primary_lease_alive");
  CHECK(shown(given_up()) == "take");
  CHECK(with([](F& f) { f.looks["b"].offset = 979; }) == "none: candidate_lag another_is_ahead");
  CHECK(with([](F& f) { f.looks["b"].offset = 990; }) == "take");
  CHECK(with([](F& f) { f.looks["b"].unfit = "it replicates by positions, not by GTID"; }) ==
        "none: candidate_not_ready");
  CHECK(with([](F& f) { f.looks["b"].diverged = "it has written 0-2-1001"; }) == "none: other_timeline");
  CHECK(with([](F& f) { f.looks["b"].run_id = "201", f.looks["b"].gate_of_file = false, remember(f.memory, f); }) ==
        "none: starts_open");
  for (const std::string manager : {"galera", "maxscale"})
    CHECK(with([&](F& f) { f.looks["c"].managed = manager; }) == "none: managed_by_" + manager);
}

TEST_CASE("MariaDB: a promotion makes the replica a primary that is closed, and opens it behind the record") {
  StandbyFacts facts = given_up();
  facts.seen.right = StandbyRight{"b", true, 9, 1000};
  CHECK(shown(facts) == "fence");
  facts.seen.record = held_by_a();
  facts.seen.record->primary = "b";
  facts.seen.record->state = StandbyState::promoting;
  facts.seen.record->fence = 9;
  facts.seen.record->run_id = "200";
  CHECK(shown(facts) == "promote");
  CHECK(shown(facts, [](F& f) { f.looks["b"].closed = f.looks["b"].gate = false; }) == "close");
  facts.looks["b"] = closed_primary();
  facts.looks["b"].run_id = "200";
  CHECK(shown(facts) == "complete");
  facts.seen.record->state = StandbyState::held;
  CHECK(shown(facts) == "open");
}

TEST_CASE("MariaDB: a primary that is started again goes on with what it had on its disk") {
  const auto restarted = [](bool durable) {
    return shown(calm("a"), [&](F& f) {
      f.looks["a"] = closed_primary();
      f.looks["a"].run_id = "101";
      f.looks["a"].durable = durable;
      remember(f.memory, f);
    });
  };
  CHECK(restarted(true) == "adopt");
  CHECK(restarted(false) == "give_up: restarted_not_durable");
}

TEST_CASE("MariaDB: the old primary rejoins by GTID, or by a program where it has what the primary has not") {
  CHECK(shown(old_primary(primary())) == "close: primary_lease_alive");
  CHECK(shown(old_primary(closed_primary())) == "follow: primary_lease_alive");
  ServerLook look = replica("100", 1000);
  look.follows = "10.0.0.2:3306";
  look.link_up = false;
  look.stopped = true;  // as who was promoted has left it
  CHECK(shown(old_primary(look)) == "follow: primary_lease_alive");
  look.stopped = false;
  CHECK(shown(old_primary(look)) == "none: primary_lease_alive");
  look.link_up = true;
  CHECK(shown(old_primary(look)) == "rejoined: primary_lease_alive");
  look.link_up = false;
  look.diverged = "Got fatal error 1236";
  CHECK(shown(old_primary(look)) == "follow: primary_lease_alive");
  StandbySpec no_program = kSpec;
  no_program.rejoin.clear();
  const StandbyFacts facts = old_primary(look);
  CHECK(shown(StandbyFacts{no_program, facts.node, facts.lease, false, facts.seen, facts.looks, facts.memory,
                           facts.health, facts.now, facts.wall_now}) == "none: primary_lease_alive no_rejoin_program");
  // What somebody has told to rest is theirs.
  look.diverged.clear();
  look.stopped = true;
  CHECK(shown(old_primary(look), [](F& f) { f.seen.record->must_rejoin.clear(); }) == "none: primary_lease_alive");
}

TEST_CASE("MariaDB: GTIDs are read") {
  using Sequences = std::map<std::uint64_t, std::uint64_t>;
  CHECK(gtid_sequences("") == Sequences{});
  CHECK(gtid_sequences("0-1-100") == Sequences{{0, 100}});
  CHECK(gtid_sequences("0-1-100,3-7-5") == Sequences{{0, 100}, {3, 5}});
  CHECK(gtid_sequences("0-1-100,0-2-99") == Sequences{{0, 100}});
  CHECK(gtid_sequences("x,1-2,-,0-1-,9-9-18446744073709551615") == Sequences{{9, 18446744073709551615U}});
}

TEST_CASE("MariaDB: a look reads what the server says, and is none without that") {
  using Row = std::vector<std::optional<std::string>>;
  const std::optional<std::string> null;
  const Row server{"1796068362", "1", "CONFIG", "97", "1", "1", "0-97-12", "", "1", "1", "OFF", null, "ON", "1"};
  const std::vector<std::string> columns{
      "Connection_name", "Master_Host", "Master_Port", "Slave_IO_Running", "Slave_SQL_Running",    "Last_IO_Errno",
      "Last_IO_Error",   "Using_Gtid",  "Gtid_IO_Pos", "Last_SQL_Error",   "Seconds_Behind_Master"};
  const Row follows{"", "10.0.0.1", "3306", "Yes", "Yes", "0", "", "Slave_Pos", "0-97-14", "", "3"};
  MariadbReply base;
  base.version = "5.5.5-10.11.19-MariaDB";
  base.answers = {{{{}, {server}}, ""}, {{columns, {}}, ""}, {{{}, {{"0"}}}, ""}};
  const auto with = [&](const std::function<void(MariadbReply&)>& change) {
    MariadbReply reply = base;
    change(reply);
    return read_mariadb_look(reply);
  };
  const auto set = [](std::size_t column, const char* value) {
    return [column, value](MariadbReply& reply) { reply.answers[0].rows[0][column] = value; };
  };
  const auto of_replica = [&](const std::function<void(Row&, Row&)>& change) {
    return with([&](MariadbReply& reply) {
      Row one = server, two = follows;
      one[6] = one[7] = "0-97-12";
      one[3] = "98";
      change(one, two);
      reply.answers[0].rows = {one};
      reply.answers[1].rows = {two};
    });
  };

  const ServerLook first = read_mariadb_look(base);
  CHECK((first.answers && first.primary && first.closed && first.gate_of_file && first.durable && first.unfit.empty()));
  CHECK(first.run_id == "1796068362");
  CHECK(first.offset == 12);
  CHECK(first.detail == "GTID 0-97-12, semi-synchronous with 1");
  CHECK_FALSE(with(set(1, "0")).closed);
  CHECK(with(set(2, "COMMAND-LINE")).gate_of_file);
  CHECK_FALSE(with(set(2, "SQL")).gate_of_file);
  // An agent has opened this process, and closed it again: it was started closed.
  CHECK(with([&](MariadbReply& r) { set(2, "SQL")(r), r.answers[2].rows = {{"1"}}; }).gate_of_file);
  CHECK_FALSE(with(set(8, "0")).durable);
  CHECK_FALSE(with(set(9, "2")).durable);
  CHECK_FALSE(with(set(4, "0")).unfit.empty());
  CHECK_FALSE(with(set(5, "0")).unfit.empty());
  CHECK(with(set(10, "ON")).managed == "galera");
  CHECK(with(set(11, "7")).managed == "maxscale");
  CHECK_FALSE(with([](MariadbReply& r) { r.answers[2].error = "Table doesn't exist"; }).unfit.empty());

  const ServerLook second = of_replica([](Row&, Row&) {});
  CHECK((second.answers && !second.primary && second.closed && second.link_up && second.diverged.empty()));
  CHECK(second.offset == 14);  // received, of which two are not replayed
  CHECK(second.replayed == 12);
  CHECK(second.follows == "10.0.0.1:3306");
  CHECK(second.behind == 3);
  CHECK_FALSE(of_replica([](Row&, Row& two) { two[4] = "No"; }).link_up);
  CHECK_FALSE(of_replica([](Row&, Row& two) { two[8] = "0-98-14"; }).link_up);  // what it had as the primary
  CHECK(of_replica([](Row&, Row& two) { two[8] = "0-98-14,1-97-1"; }).link_up);
  CHECK(of_replica([](Row&, Row& two) { two[8] = ""; }).link_up);
  CHECK(of_replica([](Row&, Row& two) { two[3] = "No"; }).stopped);
  CHECK_FALSE(of_replica([](Row&, Row& two) { two[3] = "Connecting"; }).stopped);
  CHECK_FALSE(of_replica([](Row&, Row& two) { two[7] = "No"; }).unfit.empty());
  CHECK(of_replica([](Row&, Row& two) {
          two[3] = "No", two[5] = "1236", two[6] = "not in the master's binlog";
        }).diverged == "not in the master's binlog");
  // It was the primary until then; and it has written something itself since.
  CHECK(of_replica([](Row& one, Row&) { one[3] = "97"; }).diverged.empty());
  CHECK_FALSE(of_replica([](Row& one, Row&) { one[6] = "0-98-13"; }).diverged.empty());

  CHECK(with([](MariadbReply& r) { r.version = "8.0.36"; }).trouble == "it is no MariaDB: 8.0.36");
  CHECK(with([](MariadbReply& r) { r.answers[1].error = "Access denied"; }).trouble ==
        "it answered with Access denied");
  CHECK_FALSE(with([](MariadbReply& r) { r.answers.clear(); }).answers);
  CHECK_FALSE(with([](MariadbReply& r) { r.answers[0].rows[0].pop_back(); }).answers);
  CHECK(with([](MariadbReply& r) { r.refused = true, r.trouble = "Connection refused"; }).refused);
}
