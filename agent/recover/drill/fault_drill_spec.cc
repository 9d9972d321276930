#include "recover/drill/fault_drill_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace recover {
namespace {

const config::Schema<FaultDrillSpec>& schema() {
  static const auto s =
      config::Schema<FaultDrillSpec>("drill")
          .required("service", &FaultDrillSpec::service,
                    "Whose unit gets the fault. Its objectives detect, locate and recover are judged by the drill.")
          .custom(
              "fault",
              "hang: all its processes are stopped (SIGSTOP). kill: its main process gets SIGKILL. refuse: SIGTERM, "
              "so that nothing listens any more. slow: its processes are stopped most of the time.",
              "hang",
              [](const config::Node& node, FaultDrillSpec& drill, const std::string& path, config::Errors& errors) {
                std::size_t index = 0;
                std::string why;
                if (config::read_one_of(node, fault_words(), index, why))
                  drill.fault = *parse_fault(fault_words()[index]);
                else errors.add(node.mark(), path, why);
              })
          .optional("every", &FaultDrillSpec::every,
                    "How often it is drilled. One that failed is tried again after a day at the latest.")
          .custom("windows",
                  "Required. Times of the week in which it may begin: \"Tue 10:00-12:00\", or a list of such.", "",
                  [](const config::Node& node, FaultDrillSpec& drill, const std::string& path, config::Errors& errors) {
                    drill.windows = read_windows(node, path, errors);
                  })
          .optional("max_age", &FaultDrillSpec::max_age,
                    "Longest time since one passed before an alert says so; 0s: a day more than every.")
          .check([](const FaultDrillSpec& drill, const config::Complain& complain) {
            if (drill.windows.empty())
              complain("windows",
                       "needed: a fault begins by itself in them, the first time as soon as one is open; write "
                       "\"Tue 10:00-12:00\"");
            if (drill.every < base::Millis{3'600'000}) complain("every", "must be at least 1h");
            if (drill.max_age < base::Millis{0}) complain("max_age", "must not be negative");
          });
  return s;
}

}  // namespace

bool FaultDrillSpec::open(base::WallTime now) const { return is_within(windows, now); }

const std::vector<config::KeyReference>& fault_drill_reference() { return schema().reference(); }

std::string unit_complaint(const std::string& service, const std::string& unit) {
  if (unit.empty()) return fmt::format("{} has no unit that could get the fault; set its unit", service);
  if (!unit.ends_with(".service") || unit.find_first_of("*?[") != std::string::npos)
    return fmt::format("the unit of {} is {}; only one .service unit can get a fault", service, unit);
  // Without these nothing could be undone.
  static constexpr std::string_view kOwn[] = {"fettle.service", "dbus.service", "dbus-broker.service",
                                              "polkit.service"};
  if (unit.starts_with("systemd-") || std::find(std::begin(kOwn), std::end(kOwn), unit) != std::end(kOwn))
    return fmt::format("the agent needs {} to undo a fault; no drill of it", unit);
  return "";
}

bool is_fault_drill(const config::Node& drill) { return drill.is_mapping() && !drill.find("fault").is_null(); }

std::vector<ConfiguredFault> parse_fault_drills(
    const config::Node& drills, const std::function<std::optional<std::string>(const std::string&)>& unit_of,
    config::Errors& errors) {
  std::vector<ConfiguredFault> out;
  if (!drills.is_mapping()) return out;
  for (const auto& [key, node] : drills.entries()) {
    if (!is_fault_drill(node)) continue;
    const std::string name = key.scalar(), path = config::detail::join_path("drills", name);
    const std::size_t before = errors.size();
    auto spec = std::make_shared<FaultDrillSpec>(schema().parse(node, path, errors));
    spec->name = name;
    if (errors.size() == before) {
      const config::Mark at = node.find("service").mark();
      const auto unit = unit_of(spec->service);
      if (!unit) errors.add(at, path + ".service", fmt::format("no service is named '{}'", spec->service));
      else if (const std::string why = unit_complaint(spec->service, *unit); !why.empty())
        errors.add(at, path + ".service", why);
    }
    if (name.empty() || name.find_first_of("/ ") != std::string::npos)
      errors.add(key.mark(), path, "the name of a drill has no blank and no slash");
    const auto twin = std::find_if(out.begin(), out.end(), [&](const ConfiguredFault& other) {
      return other->service == spec->service && other->fault == spec->fault;
    });
    if (errors.size() == before && twin != out.end())
      errors.add(key.mark(), path, fmt::format("is the drill {} once more: the same service and fault", (*twin)->name));
    if (errors.size() == before) out.push_back(std::move(spec));
  }
  return out;
}

}  // namespace recover
