// What came of a rehearsed fault, durable. The words are those of the configuration, the API and of labels.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace recover {

enum class Fault {
  hang,    // all processes stand still (SIGSTOP) until they are told to go on
  kill,    // the main process gets SIGKILL
  refuse,  // the main process gets SIGTERM, as at an orderly end: nothing listens any more
  slow     // all processes stand still most of the time
};
std::string_view to_string(Fault fault);
std::optional<Fault> parse_fault(std::string_view word);
const std::vector<std::string>& fault_words();

// How a drill ended: the first that is true of it.
enum class FaultResult {
  none,           // it has not
  interrupted,    // by people, by another fault, by the end of the agent: says nothing about the service
  not_injected,   // systemd or polkit refused the fault
  not_detected,   // in the time that objectives.detect allows, or 1m
  not_recovered,  // the plan did not, in the time that objectives.recover allows, or 10m; or it was not up afterwards
  step_failed,    // it recovered, and yet an action of the plan did not work
  not_delivered,  // a receiver did not take its message
  too_slow,       // an objective was missed
  passed
};
std::string_view to_string(FaultResult result);

// Seconds since the fault: detect, locate, recover. Length of their own: drain, cure, verify, undrain, deliver.
enum class Stage { detect, locate, drain, cure, verify, undrain, deliver, recover };
std::string_view to_string(Stage stage);

struct FaultReport {
  FaultResult result = FaultResult::none;
  std::string text;                   // for a person: all that was found
  base::WallTime started{}, ended{};  // started: the fault was there
  std::map<Stage, base::Millis> stages;
  bool cured_by_drill = false;  // the plan is no cure: it is in dry_run or ask, there is none, or it failed
};

// A record of Table::recoveries, one for each service and fault.
struct FaultRecord {
  base::WallTime known_since{};                  // first configured, or drilled by hand
  FaultReport last{};                            // result none: there was no drill
  std::optional<base::WallTime> last_success{};  // end of the last that passed
  std::optional<bool> succeeded{};               // the last that was not interrupted
};

// A fault that may be there: durable before it is injected, gone when it is undone.
struct OpenFault {
  std::string service, unit;
  Fault fault = Fault::hang;
  base::WallTime started{};
};

std::string to_json(const FaultRecord& record);
base::Result<FaultRecord> parse_fault_record(std::string_view text);
std::string to_json(const OpenFault& open);
base::Result<OpenFault> parse_open_fault(std::string_view text);

}  // namespace recover
