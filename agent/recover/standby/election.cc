#include "recover/standby/election.h"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/enum_names.h"
#include "base/text.h"
#include "encoding/json_value.h"

namespace recover {
namespace {

using encoding::json;

constexpr std::size_t kLongest = 256, kMost = 16;
constexpr std::array kStates{std::pair{StandbyState::promoting, std::string_view("promoting")},
                             std::pair{StandbyState::held, std::string_view("held")},
                             std::pair{StandbyState::released, std::string_view("released")}};

std::string text_in(const json& object, const char* name) {
  return base::foreign_text(encoding::text_of(encoding::member(object, name)), kLongest);
}

}  // namespace

std::string_view to_string(StandbyState state) { return base::name_in(kStates, state); }

std::string to_json(const StandbyRecord& record) {
  json out{{"primary", record.primary},
           {"state", to_string(record.state)},
           {"fence", record.fence},
           {"run_id", record.run_id},
           {"starts_closed", record.starts_closed},
           {"offset", record.offset},
           {"promoted_ms", base::to_ms(record.promoted)},
           {"must_rejoin", record.must_rejoin}};
  if (!record.system.empty()) out["system"] = record.system, out["timeline"] = record.timeline;
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<StandbyRecord> parse_standby_record(std::string_view text) {
  const json in = encoding::read_json(text);
  const auto state = base::value_in(kStates, encoding::text_of(encoding::member(in, "state")));
  const auto fence = encoding::number_of(encoding::member(in, "fence"));
  StandbyRecord out;
  out.primary = text_in(in, "primary");
  if (!state || !fence || out.primary.empty()) return std::nullopt;
  out.state = *state;
  out.fence = *fence;
  out.run_id = text_in(in, "run_id");
  out.system = text_in(in, "system");
  out.timeline = encoding::number_of(encoding::member(in, "timeline")).value_or(0);
  const json& closed = encoding::member(in, "starts_closed");
  out.starts_closed = closed.is_boolean() && closed.get<bool>();
  out.offset = static_cast<std::int64_t>(encoding::number_of(encoding::member(in, "offset")).value_or(0));
  out.promoted = base::wall_from_ms(
      static_cast<std::int64_t>(encoding::number_of(encoding::member(in, "promoted_ms")).value_or(0)));
  if (const json& nodes = encoding::member(in, "must_rejoin"); nodes.is_array())
    for (const json& node : nodes)
      if (out.must_rejoin.size() < kMost)
        out.must_rejoin.push_back(base::foreign_text(encoding::text_of(node), kLongest));
  return out;
}

}  // namespace recover
