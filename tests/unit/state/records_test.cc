#include "state/records.h"

#include <doctest/doctest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"

namespace {

using state::Change;
using state::Records;
using state::Table;

std::string shown(const Records& records) {
  std::string out;
  for (const auto& [key, value] : records.table(Table::budgets)) out += key + "=" + value + " ";
  return out;
}

std::vector<Change> put(const std::string& key, const std::string& value) {
  return {Change::put(Table::budgets, key, value)};
}

}  // namespace

TEST_CASE("what begins shows at once, and goes back to what later calls and the disk say") {
  Records records;
  records.load(Table::budgets, "a", "0");
  records.begin(1, put("a", "1"));
  records.begin(2, {Change::remove(Table::budgets, "a"), Change::put(Table::budgets, "b", "2")});
  records.begin(3, put("b", "3"));
  CHECK(shown(records) == "b=3 ");
  records.take_back(1, put("a", "1"));
  CHECK(shown(records) == "b=3 ");
  records.take_back(2, {Change::remove(Table::budgets, "a"), Change::put(Table::budgets, "b", "2")});
  CHECK(shown(records) == "a=0 b=3 ");
  records.take_back(3, put("b", "3"));
  CHECK(shown(records) == "a=0 ");
}

TEST_CASE("a key twice in one call has its last value, kept or taken back") {
  Records records;
  const std::vector<Change> twice = {Change::put(Table::budgets, "a", "1"), Change::put(Table::budgets, "a", "2")};
  records.begin(1, twice);
  records.begin(2, twice);
  CHECK(shown(records) == "a=2 ");
  records.keep(1, twice);
  records.take_back(2, twice);
  CHECK(shown(records) == "a=2 ");
}

TEST_CASE("tables are apart") {
  Records records;
  records.begin(1, {Change::put(Table::alerts, "a", "1")});
  CHECK(records.table(Table::budgets).empty());
  CHECK(records.table(Table::alerts).at("a") == "1");
}

TEST_CASE("random calls that are kept or taken back end as if only the kept ones had been") {
  base::Random random(3);
  for (int round = 0; round < 200; ++round) {
    Records records;
    std::map<std::string, std::string> durable;
    std::vector<std::vector<Change>> calls;
    std::size_t settled = 0;
    for (int step = 0; step < 60; ++step) {
      if (settled == calls.size() || random.below(2)) {
        std::vector<Change> changes;
        for (std::uint64_t n = 1 + random.below(3); n > 0; --n) {
          const std::string key(1, static_cast<char>('a' + random.below(4)));
          changes.push_back(random.below(3) ? Change::put(Table::budgets, key, std::to_string(step))
                                            : Change::remove(Table::budgets, key));
        }
        records.begin(calls.size(), changes);
        calls.push_back(std::move(changes));
      } else {
        const std::vector<Change>& changes = calls[settled];
        if (random.below(3)) {
          records.keep(settled, changes);
          for (const Change& change : changes)
            if (change.erase) durable.erase(change.key);
            else durable[change.key] = change.value;
        } else {
          records.take_back(settled, changes);
        }
        ++settled;
      }
      std::map<std::string, std::string> want = durable;
      for (std::size_t i = settled; i < calls.size(); ++i)
        for (const Change& change : calls[i])
          if (change.erase) want.erase(change.key);
          else want[change.key] = change.value;
      REQUIRE(records.table(Table::budgets) == want);
    }
  }
}
