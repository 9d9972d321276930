#include "recover/plan/guard_name.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

using recover::GuardName;

TEST_CASE("each guard has a name of its own, which reads back") {
  std::set<std::string> names;
  for (const GuardName name : recover::all_guard_names()) {
    const std::string text(to_string(name));
    CHECK(names.insert(text).second);
    CHECK(recover::parse_guard_name(text) == name);
  }
  CHECK(names.size() == 32);
  CHECK(to_string(GuardName::none) == "");
  CHECK_FALSE(recover::parse_guard_name("").has_value());
  CHECK_FALSE(recover::parse_guard_name("banana").has_value());
}

TEST_CASE("what systemd does with the unit and what the node shares are told by the name") {
  std::string unit, node, fleet, ack;
  for (const GuardName name : recover::all_guard_names()) {
    if (is_of_unit(name)) unit += std::string(to_string(name)) + " ";
    if (is_of_node(name)) node += std::string(to_string(name)) + " ";
    if (is_of_fleet(name)) fleet += std::string(to_string(name)) + " ";
    if (opens_by_ack(name)) ack += std::string(to_string(name)) + " ";
  }
  CHECK(ack == "aborted exhausted flapping changed_recently budget ");
  CHECK(unit == "unit_missing unit_masked unit_starting unit_job node_stopping ");
  CHECK(node == "node_busy node_budget target_busy ");
  CHECK(fleet == "fleet_unknown fleet_panic fleet_busy fleet_min_healthy ");
}
