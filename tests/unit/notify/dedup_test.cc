#include "notify/dedup.h"

#include <doctest/doctest.h>

#include <string>

namespace {

// "A b": A fires, b resolved.
std::vector<model::Alert> alerts(const std::string& letters) {
  std::vector<model::Alert> out;
  for (const char c : letters) {
    model::Alert alert;
    const bool firing = c >= 'A' && c <= 'Z';
    const std::string name(1, firing ? static_cast<char>(c - 'A' + 'a') : c);
    alert.labels = model::Labels{{"alertname", name}};
    alert.state = firing ? model::AlertState::firing : model::AlertState::inactive;
    out.push_back(alert);
  }
  return out;
}

}  // namespace

TEST_CASE("a group is told when there is something new in it, and the verdict says what") {
  using notify::Cause;
  struct Row {
    const char* last;
    const char* now;
    Cause cause;
    bool send_resolved;
    const char* want;
  };
  const Row rows[] = {
      {"", "A", Cause::change, true, "first"},
      {"", "a", Cause::change, true, "nothing_fires"},
      {"", "", Cause::recovery_ended, true, "nothing_fires"},
      {"A", "A", Cause::change, true, "unchanged"},
      {"A", "AB", Cause::change, true, "new_firing"},
      {"AB", "Ab", Cause::change, true, "some_resolved"},
      {"AB", "ab", Cause::change, true, "all_resolved"},
      {"A", "aB", Cause::change, true, "new_firing"},
      {"a", "A", Cause::change, true, "new_firing"},
      {"a", "a", Cause::change, true, "unchanged"},
      {"A", "a", Cause::change, false, "resolved_unwanted"},
      {"A", "A", Cause::recovery_ended, true, "recovery_ended"},
      {"a", "a", Cause::recovery_ended, true, "recovery_ended"},
      {"A", "a", Cause::recovery_ended, true, "all_resolved"},
      {"A", "A", Cause::again, true, "unchanged"},
      {"A", "AB", Cause::again, true, "new_firing"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.last);
    CAPTURE(row.now);
    const auto verdict = notify::decide(alerts(row.now), notify::said(alerts(row.last)), row.cause,
                                        row.send_resolved ? notify::SendResolved::yes : notify::SendResolved::no);
    CHECK(to_string(verdict) == row.want);
  }
}
