#include "cluster/rollout_record.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/enum_names.h"
#include "base/text.h"
#include "cluster/json_answer.h"

namespace cluster {
namespace {

constexpr std::array kPartStates{std::pair{PartState::waiting, std::string_view("waiting")},
                                 std::pair{PartState::working, std::string_view("working")},
                                 std::pair{PartState::done, std::string_view("done")},
                                 std::pair{PartState::failed, std::string_view("failed")}};
constexpr std::array kStates{std::pair{RolloutState::running, std::string_view("running")},
                             std::pair{RolloutState::stopped, std::string_view("stopped")},
                             std::pair{RolloutState::aborted, std::string_view("aborted")},
                             std::pair{RolloutState::done, std::string_view("done")}};
constexpr std::size_t kLongest = 500;  // of a text that another agent wrote

std::string text_in(const json& object, const char* name) {
  return base::foreign_text(text_of(member(object, name)), kLongest);
}

base::WallTime time_in(const json& object, const char* name) { return time_of(member(object, name)); }

}  // namespace

std::string_view to_string(PartState state) { return base::name_in(kPartStates, state); }
std::string_view to_string(RolloutState state) { return base::name_in(kStates, state); }

std::string trigger_of(const Rollout& rollout) {
  return fmt::format("rollout {}{}", rollout.id,
                     rollout.round > 1 ? fmt::format(", round {}", rollout.round) : std::string());
}

std::string rollout_key(const std::string& group) { return group + "/rollout"; }

std::string rollout_value(const Rollout& rollout) {
  json parts = json::array();
  for (const RolloutPart& part : rollout.parts)
    parts.push_back({{"node", part.who.node},
                     {"service", part.who.service},
                     {"state", to_string(part.state)},
                     {"since", base::to_ms(part.since)},
                     {"text", part.text}});
  return json{{"id", rollout.id},
              {"round", rollout.round},
              {"action", rollout.action},
              {"batch", rollout.batch},
              {"deadline", rollout.deadline.count()},
              {"by", rollout.by},
              {"started", base::to_ms(rollout.started)},
              {"state", to_string(rollout.state)},
              {"why", rollout.why},
              {"since", base::to_ms(rollout.since)},
              {"parts", std::move(parts)}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<Rollout> read_rollout(const std::string& value) {
  const json in = read_json(value);
  const auto state = base::value_in(kStates, text_of(member(in, "state")));
  const auto round = number_of(member(in, "round")), batch = number_of(member(in, "batch")),
             deadline = number_of(member(in, "deadline"));
  constexpr std::uint64_t kMost = 1'000'000'000;
  if (!state || !round || !batch || !deadline || *round > kMost || *batch > kMost || *deadline > kMost || *batch == 0)
    return std::nullopt;
  Rollout out{text_in(in, "id"),       static_cast<int>(*round), text_in(in, "action"),  static_cast<int>(*batch),
              base::Millis(*deadline), text_in(in, "by"),        time_in(in, "started"), *state,
              text_in(in, "why"),      time_in(in, "since")};
  for (const json& part : member(in, "parts")) {
    const auto of = base::value_in(kPartStates, text_of(member(part, "state")));
    if (!of) return std::nullopt;
    out.parts.push_back({{text_of(member(part, "node")), text_of(member(part, "service"))},
                         *of,
                         time_in(part, "since"),
                         text_in(part, "text")});
  }
  if (out.id.empty() || out.parts.empty()) return std::nullopt;
  return out;
}

}  // namespace cluster
