// The audit trail: one chain, in order, over starts and failures of the disk, bounded; what was changed in it is found.
#include "state/audit_trail.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>
#include <vector>

#include "crypto/digest.h"
#include "fakes/fake_loop.h"
#include "fakes/fake_state.h"

namespace {

using model::AuditEntry;
using model::AuditKind;
using state::AuditTrail;
using state::Table;

std::string sha256_hex(std::string_view text) { return crypto::hex(crypto::sha256(text)); }

struct Site {
  fakes::FakeLoop loop;
  fakes::FakeState state{loop};

  static std::vector<std::string> texts(const std::vector<AuditEntry>& entries) {
    std::vector<std::string> out;
    for (const AuditEntry& entry : entries) out.push_back(fmt::format("{} {}", entry.number, entry.text));
    return out;
  }
};

std::vector<AuditEntry> all(const AuditTrail& trail) { return trail.entries(AuditTrail::kKeep, {}, ""); }

}  // namespace

TEST_CASE("entries are one chain, also over another start") {
  Site site;
  {
    AuditTrail trail(site.state, site.loop);
    trail.add(AuditKind::change, "alice (uid 1000)", "order", "maintenance/order on=true");
    trail.add(AuditKind::recovery, "fettle", "order", "restart");
    site.loop.run_due();
  }
  AuditTrail trail(site.state, site.loop);
  CHECK(trail.mistake() == "");
  trail.add(AuditKind::notification, "fettle", "", "a message");
  site.loop.run_due();
  const std::vector<AuditEntry> entries = all(trail);
  CHECK(Site::texts(entries) == std::vector<std::string>{"1 maintenance/order on=true", "2 restart", "3 a message"});
  CHECK(entries[0].previous == "");
  CHECK(entries[0].by == "alice (uid 1000)");
  CHECK(model::audit_mistake(entries, sha256_hex) == "");
  // Written down, so that others can check it with any SHA-256.
  CHECK(model::hashed_text(entries[0]) ==
        "1:1,13:1700000000000,6:change,16:alice (uid 1000),5:order,25:maintenance/order on=true,0:,");
}

TEST_CASE("a newest few, those before a number, and those of one service") {
  Site site;
  AuditTrail trail(site.state, site.loop);
  for (int i = 1; i <= 6; ++i) trail.add(AuditKind::change, "a", i % 2 == 0 ? "order" : "stock", std::to_string(i));
  site.loop.run_due();
  CHECK(Site::texts(trail.entries(2, {}, "")) == std::vector<std::string>{"5 5", "6 6"});
  CHECK(Site::texts(trail.entries(2, 5, "")) == std::vector<std::string>{"3 3", "4 4"});
  CHECK(Site::texts(trail.entries(2, 5, "order")) == std::vector<std::string>{"2 2", "4 4"});
  CHECK(trail.entries(10, 1, "").empty());
}

TEST_CASE("a disk that takes nothing for a while leaves no gap in the chain") {
  Site site;
  AuditTrail trail(site.state, site.loop);
  trail.add(AuditKind::change, "a", "", "one");
  site.loop.run_due();
  site.state.failing = true;
  trail.add(AuditKind::change, "a", "", "two");
  site.loop.run_due();
  trail.add(AuditKind::change, "a", "", "three");
  site.loop.advance(std::chrono::seconds{20});
  CHECK(Site::texts(all(trail)) == std::vector<std::string>{"1 one"});
  site.state.failing = false;
  site.loop.advance(std::chrono::seconds{5});
  CHECK(Site::texts(all(trail)) == std::vector<std::string>{"1 one", "2 two", "3 three"});
  CHECK(model::audit_mistake(all(trail), sha256_hex) == "");
}

TEST_CASE("what waits for the disk is bounded, and how much was lost is an entry") {
  Site site;
  AuditTrail trail(site.state, site.loop);
  site.state.failing = true;
  for (std::size_t i = 0; i < AuditTrail::kWaiting + 7; ++i) trail.add(AuditKind::change, "a", "", std::to_string(i));
  site.loop.run_due();
  site.state.failing = false;
  site.loop.advance(std::chrono::seconds{5});
  const std::vector<AuditEntry> entries = all(trail);
  REQUIRE(entries.size() == AuditTrail::kWaiting + 1);
  CHECK(entries.front().kind == AuditKind::lost);
  CHECK(entries.front().text == "7 entries before this one could not be written and are lost");
  CHECK(entries.back().text == std::to_string(AuditTrail::kWaiting + 6));
  CHECK(model::audit_mistake(entries, sha256_hex) == "");
}

TEST_CASE("what is lost while the disk fails again and again is counted once") {
  Site site;
  AuditTrail trail(site.state, site.loop);
  site.state.failing = true;
  for (std::size_t i = 0; i < AuditTrail::kWaiting + 7; ++i) trail.add(AuditKind::change, "a", "", std::to_string(i));
  for (int i = 0; i < 3; ++i) {
    site.loop.advance(std::chrono::seconds{30});
    trail.add(AuditKind::change, "a", "", "later");
  }
  site.state.failing = false;
  site.loop.advance(std::chrono::seconds{30});
  const std::vector<AuditEntry> entries = all(trail);
  REQUIRE(entries.size() == AuditTrail::kWaiting + 1);
  CHECK(entries[0].text == "10 entries before this one could not be written and are lost");
  CHECK(entries[1].text == "10");
  CHECK(model::audit_mistake(entries, sha256_hex) == "");
}

TEST_CASE("an agent that cannot read its records begins a chain, and writes over nothing") {
  Site site;
  {
    AuditTrail trail(site.state, site.loop);
    for (const char* text : {"one", "two"}) trail.add(AuditKind::change, "a", "", text);
    site.loop.run_due();
  }
  const fakes::FakeState::Tables before = site.state.durable();
  fakes::FakeState unread(site.loop);
  unread.damaged.forgotten = true;
  AuditTrail trail(unread, site.loop);
  trail.add(AuditKind::change, "a", "", "three");
  site.loop.run_due();
  CHECK(trail.mistake() == "");
  // As the file is in the end: what it had, and what was written later.
  fakes::FakeState::Tables both = unread.durable();
  for (const auto& entry : before.at(Table::audit)) both[Table::audit].insert(entry);
  fakes::FakeState next(site.loop, both);
  AuditTrail again(next, site.loop);
  CHECK(again.mistake() == "");
  again.add(AuditKind::change, "a", "", "four");
  site.loop.run_due();
  CHECK(Site::texts(all(again)) ==
        std::vector<std::string>{
            "1 one", "2 two",
            "1700000000001 a chain begins: at the start of the agent the entries before could not be read",
            "1700000000002 three", "1700000000003 four"});
  CHECK(model::audit_mistake(all(again), sha256_hex) == "");
}

TEST_CASE("old entries go, and the chain that is left is whole") {
  Site site;
  {
    AuditTrail trail(site.state, site.loop);
    for (int i = 0; i < 3; ++i) trail.add(AuditKind::change, "a", "", "old");
    site.loop.run_due();
    site.loop.advance(std::chrono::hours{90 * 24 + 1});
    trail.add(AuditKind::change, "a", "", "new");
    site.loop.run_due();
    CHECK(Site::texts(all(trail)) == std::vector<std::string>{"4 new"});
    for (std::size_t i = 0; i < AuditTrail::kKeep + 5; ++i) {
      trail.add(AuditKind::change, "a", "", "more");
      if (i % AuditTrail::kBatch == 0) site.loop.run_due();
    }
    site.loop.run_due();
    CHECK(all(trail).size() == AuditTrail::kKeep);
  }
  CHECK(AuditTrail(site.state, site.loop).mistake() == "");
}

TEST_CASE("an entry that was changed or taken out is found at the next start, and the trail goes on") {
  struct Row {
    std::string name;
    std::function<void(std::map<std::string, std::string>&)> harm;
    std::string mistake;
  };
  const auto key = [](int number) { return fmt::format("{:016}", number); };
  const std::vector<Row> rows{
      {"another text",
       [&](auto& table) {
         std::string& text = table[key(2)];
         text.replace(text.find("two"), 3, "too");
       },
       "entry 2 is not as it was written: its hash is not that of what it says"},
      {"one is missing", [&](auto& table) { table.erase(key(2)); }, "entries between 1 and 3 are missing"},
      {"the first is missing", [&](auto& table) { table.erase(key(1)); }, "entries before 2 are missing"},
      {"the last is missing", [&](auto& table) { table.erase(key(3)); }, "entries up to 3 are missing at the end"},
      {"no record", [&](auto& table) { table[key(2)] = "{"; }, "entry 0000000000000002 cannot be read"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Site site;
    {
      AuditTrail trail(site.state, site.loop);
      for (const char* text : {"one", "two", "three"}) trail.add(AuditKind::change, "a", "", text);
      site.loop.run_due();
    }
    fakes::FakeState::Tables tables = site.state.durable();
    row.harm(tables[Table::audit]);
    fakes::FakeState harmed(site.loop, tables);
    AuditTrail trail(harmed, site.loop);
    CHECK(trail.mistake() == row.mistake);
    trail.add(AuditKind::change, "a", "", "four");
    site.loop.run_due();
    CHECK(all(trail).back().number == 4);
  }
}
