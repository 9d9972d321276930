// Restore drills, and what they say of each service: how much a disaster would cost, beside what is wanted.
#include <utility>

#include "web/api/answer.h"
#include "web/drill_findings.h"
#include "web/routes.h"
#include "web/standby_findings.h"

namespace web {
namespace {

void write_proof(const DrillPage& drill, encoding::Json& json) {
  json.key("proof");
  if (!drill.proof) return void(json.null());
  const DrillPage::Proof& proof = *drill.proof;
  json.object([&] {
    json.key("at").time(proof.at);
    json.key("backup").string(proof.backup);
    json.key("restoreSeconds").number(proof.restore_seconds);
    if (proof.data_age_seconds) json.key("dataAgeSeconds").number(*proof.data_age_seconds);
    json.key("files").integer(static_cast<std::int64_t>(proof.files));
    json.key("bytes").integer(static_cast<std::int64_t>(proof.bytes));
  });
}

// Of a DrillPage or a FaultDrillPage.
void write_last_run(const auto& drill, encoding::Json& json) {
  json.key("doing").string(drill.doing);
  json.key("result").string(drill.result);
  json.key("text").string(drill.text);
  if (drill.result.empty()) return;
  json.key("began").time(drill.began);
  json.key("ended").time(drill.ended);
}

void write_drill(const DrillPage& drill, encoding::Json& json) {
  json.object([&] {
    json.key("name").string(drill.name);
    json.key("service").string(drill.service);
    json.key("backup").string(drill.backup);
    write_last_run(drill, json);
    if (drill.due) json.key("due").time(*drill.due);
    json.key("mustBeProvenBy").time(drill.must_be_proven_by);
    write_proof(drill, json);
  });
}

void write_fault_drill(const FaultDrillPage& drill, encoding::Json& json) {
  json.object([&] {
    json.key("service").string(drill.service);
    json.key("fault").string(drill.fault);
    json.key("name").string(drill.name);
    write_last_run(drill, json);
    for (const auto& [name, at] : {std::pair{"due", &drill.due}, std::pair{"mustPassBy", &drill.must_pass_by},
                                   std::pair{"lastSuccess", &drill.last_success}})
      if (*at) json.key(name).time(**at);
    json.key("stageSeconds").object([&] {
      for (const auto& [stage, seconds] : drill.stage_seconds) json.key(stage).number(seconds);
    });
  });
}

void write_standby(const StandbyPage& standby, encoding::Json& json) {
  json.key("standby").object([&] {
    json.key("primary").string(standby.primary);
    json.key("summary").string(standby_summary(standby));
    if (standby.promoted) json.key("promoted").time(*standby.promoted);
  });
}

void write_row(const ServicePage& service, const DrillPage* drill, const StandbyPage* standby, base::WallTime now,
               encoding::Json& json) {
  json.object([&] {
    json.key("service").string(service.name);
    for (const auto& [name, wanted] : {std::pair{"rpoWanted", &service.rpo}, std::pair{"rtoWanted", &service.rto}})
      if (*wanted) json.key(name).number(base::seconds(**wanted));
    if (drill != nullptr) {
      json.key("drill").string(drill->name);
      json.key("backup").string(drill->backup);
      write_proof(*drill, json);
      json.key("lastResult").string(drill->result);
      json.key("lastText").string(drill->text);
    }
    if (standby != nullptr) write_standby(*standby, json);
    json.key("findings").array([&] {
      for (const std::string& each : drill_findings(service, drill, now)) json.string(each);
      if (standby != nullptr)
        for (const std::string& each : standby_findings(*standby)) json.string(each);
    });
  });
}

}  // namespace

Response api_drills(const Request& request, const Context& context) {
  const auto snapshot = context.slot.load();
  const std::string only = request.param("service");
  return api_success([&](encoding::Json& json) {
    json.object([&] {
      json.key("drills").array([&] {
        for (const DrillPage& drill : snapshot->drills)
          if (only.empty() || drill.service == only) write_drill(drill, json);
      });
      json.key("faultDrills").array([&] {
        for (const FaultDrillPage& drill : snapshot->fault_drills)
          if (only.empty() || drill.service == only) write_fault_drill(drill, json);
      });
    });
  });
}

// A row for each drill, and for each service that has none.
Response api_dr(const Request&, const Context& context) {
  const auto snapshot = context.slot.load();
  return api_success([&](encoding::Json& json) {
    json.object([&] {
      json.key("services").array([&] {
        for (const ServicePage& service : snapshot->services) {
          const StandbyPage* standby = standby_of(*snapshot, service.name);
          bool has_drill = false;
          for (const DrillPage& drill : snapshot->drills) {
            if (drill.service != service.name) continue;
            has_drill = true;
            write_row(service, &drill, standby, snapshot->at, json);
          }
          if (!has_drill) write_row(service, nullptr, standby, snapshot->at, json);
        }
      });
    });
  });
}

}  // namespace web
