#include "incident/evidence_store.h"

#include <doctest/doctest.h>

#include <string>

#include "fakes/fake_loop.h"
#include "fakes/fake_state.h"

namespace {

model::Evidence sample(const std::string& incident, int at_ms, const std::string& service = "order") {
  model::Evidence out;
  out.incident = incident;
  out.service = service;
  out.recovery = "rec_1";
  out.at = base::wall_from_ms(at_ms);
  out.took = std::chrono::microseconds{45'012};
  out.fault = {model::FaultKind::lock, "2 of 4 threads"};
  out.sections = {{"journal", {"a", "b"}, ""}, {"unit", {}, "no bus"}};
  return out;
}

std::vector<std::int64_t> times(const incident::EvidenceStore& store) {
  std::vector<std::int64_t> out;
  for (const auto& each : store.all()) out.push_back(base::to_ms(each->at));
  return out;
}

const auto nowhere = [](const std::string&) { return std::string(); };

}  // namespace

TEST_CASE("evidence comes back from its record as it was, and from the state of an agent before") {
  const auto back = incident::parse_evidence(incident::to_json(sample("inc_1", 5)));
  REQUIRE(back.has_value());
  CHECK(incident::to_json(*back) == incident::to_json(sample("inc_1", 5)));
  CHECK(back->headline() == "hang in a lock: 2 of 4 threads");
  CHECK_FALSE(incident::parse_evidence("{}").has_value());

  fakes::FakeLoop loop;
  fakes::FakeState state(
      loop, {{state::Table::evidence,
              {{"fault/1/order", incident::to_json(sample("inc_1", 5))}, {"fault/2/x", "{"}, {"change/3", "{}"}}}});
  CHECK(times(incident::EvidenceStore(state)) == std::vector<std::int64_t>{5});
}

TEST_CASE("of a crash loop the first and the newest are kept") {
  fakes::FakeLoop loop;
  fakes::FakeState state(loop);
  incident::EvidenceStore store(state);
  for (int at = 1; at <= 50; ++at) store.add(sample("inc_1", at));
  store.add(sample("inc_1", 60, "db"));
  store.add(sample("inc_2", 70));
  CHECK(times(store) == std::vector<std::int64_t>{1, 50, 60, 70});
  CHECK(state.read(state::Table::evidence).size() == 4);
}

TEST_CASE("no more than the bound is kept, the oldest goes first") {
  fakes::FakeLoop loop;
  fakes::FakeState state(loop);
  incident::EvidenceStore store(state);
  for (int at = 1; at <= 20; ++at) {
    model::Evidence large = sample("inc_" + std::to_string(at), at);
    large.sections[0].lines = {std::string(1024 * 1024, 'x')};
    store.add(std::move(large));
  }
  CHECK(times(store).size() == 15);
  CHECK(times(store).back() == 20);
}

TEST_CASE("evidence goes with its incident, or moves to the one that took it in") {
  fakes::FakeLoop loop;
  fakes::FakeState state(loop);
  incident::EvidenceStore store(state);
  store.add(sample("inc_1", 1));
  store.add(sample("inc_2", 2, "db"));
  store.follow([](const std::string& id) { return id == "inc_1"; },
               [](const std::string& service) { return service == "db" ? "inc_1" : ""; });
  REQUIRE(store.all().size() == 2);
  CHECK(store.all()[1]->incident == "inc_1");
  store.follow([](const std::string&) { return false; }, nowhere);
  CHECK(store.all().empty());
  CHECK(state.read(state::Table::evidence).empty());
}
