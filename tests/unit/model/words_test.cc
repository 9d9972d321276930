#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "model/action_report.h"
#include "model/alert.h"
#include "model/health.h"
#include "model/json.h"
#include "model/rule.h"
#include "model/silence.h"

namespace {

// Words are durable and those of the API: each is read as the value that writes it, and no other word is.
template <typename Enum>
void check_words(const std::vector<std::string_view>& words, std::optional<Enum> (*parse)(std::string_view)) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    CAPTURE(words[i]);
    CHECK(to_string(static_cast<Enum>(i)) == words[i]);
    CHECK(parse(words[i]) == static_cast<Enum>(i));
  }
  CHECK(to_string(static_cast<Enum>(words.size())).empty());
  CHECK_FALSE(parse("Other").has_value());
}

}  // namespace

TEST_CASE("the words of records, labels and the API stay as they are") {
  check_words<model::RecoveryMode>({"dry_run", "ask", "enforce"}, model::parse_recovery_mode);
  check_words<model::RecoveryState>({"", "blocked", "acting", "asking", "holding", "verifying", "recovered", "failed",
                                     "exhausted", "aborted", "would_run"},
                                    model::parse_recovery_state);
  check_words<model::PlanState>(
      {"idle", "blocked", "backoff", "acting", "asking", "holding", "verifying", "recovered", "exhausted"},
      model::parse_plan_state);
  CHECK(model::all_plan_states().size() == 9);
  check_words<model::ActionStatus>({"", "ok", "failed", "timeout", "refused", "would_run"}, model::parse_action_status);
  check_words<model::Health>({"unknown", "up", "down"}, model::parse_health);
  check_words<model::AlertState>({"inactive", "pending", "firing"}, model::parse_alert_state);
  check_words<model::SilenceState>({"active", "pending", "expired"}, model::parse_silence_state);
  check_words<model::RuleHealth>({"unknown", "ok", "err"}, model::parse_rule_health);
  CHECK(to_string(model::RuleType::alerting) == "alerting");
  CHECK(to_string(model::RuleType::recording) == "recording");
}

TEST_CASE("a record of a recovery comes back as it was, and one with a word that is none is unreadable") {
  model::RecoveryReport report;
  report.id = "r1";
  report.mode = model::RecoveryMode::ask;
  report.state = model::RecoveryState::exhausted;
  report.actions = {{"systemd restart", model::ActionStatus::timeout, "no end", {}, {}, true}};
  nlohmann::json record = model::report_record(report);
  CHECK(record.dump() == R"({"actions":[{"action":"systemd restart","may_heal":true,"result":"timeout","started_ms":0,)"
                         R"("text":"no end","took_us":0}],"attempt":0,"id":"r1","mode":"ask","reason":"","service":"",)"
                         R"("started_ms":0,"state":"exhausted","trigger":""})");
  CHECK(model::report_record(model::read_report_record(record)) == record);
  for (const char* key : {"mode", "state"}) {
    nlohmann::json wrong = record;
    wrong[key] = "healed";
    CHECK_THROWS_AS(model::read_report_record(wrong), nlohmann::json::exception);
  }
  record["actions"][0]["result"] = "healed";
  CHECK_THROWS_WITH_AS(model::read_report_record(record),
                       "[json.exception.other_error.501] result cannot be \"healed\"", nlohmann::json::exception);
}
