#include "app/drill_view.h"

#include <utility>

namespace app {

std::vector<web::DrillPage> drill_pages(const std::vector<recover::DrillStatus>& drills) {
  std::vector<web::DrillPage> out;
  for (const recover::DrillStatus& drill : drills) {
    const recover::DrillRecord& record = drill.record;
    web::DrillPage& page = out.emplace_back();
    page.name = drill.spec->name;
    page.service = drill.spec->service;
    page.backup = drill.spec->tool->text();
    page.doing = drill.doing;
    page.result = to_string(record.last.result);
    page.text = record.last.text;
    page.began = record.last.started;
    page.ended = record.last.ended;
    page.due = drill.due;
    page.must_be_proven_by = drill.must_be_proven_by;
    if (!record.proven) continue;
    web::DrillPage::Proof proof;
    proof.at = record.proven->ended;
    proof.backup = record.proven->backup;
    proof.restore_seconds = base::seconds(record.proven->restore);
    if (record.proven->data_age) proof.data_age_seconds = base::seconds(*record.proven->data_age);
    proof.files = record.proven->files;
    proof.bytes = record.proven->bytes;
    page.proof = std::move(proof);
  }
  return out;
}

void add_drills(Families& families, const std::vector<recover::DrillStatus>& drills) {
  for (const recover::DrillStatus& drill : drills) {
    const model::Labels labels{{"service", drill.spec->service}, {"drill", drill.spec->name}};
    const recover::DrillRecord& record = drill.record;
    families.add("fettle_restore_drill_running", "1 while the drill restores a backup on trial.", labels,
                 drill.doing.empty() ? 0 : 1);
    families.add("fettle_restore_due_timestamp_seconds",
                 "When a restore must have been proven again: max_age after the last proof, or after the drill was "
                 "configured.",
                 labels, base::seconds(drill.must_be_proven_by));
    if (record.succeeded)
      families.add("fettle_restore_drill_success",
                   "1 if the last run of the drill proved a restore, 0 if it did not; one that was interrupted does "
                   "not count.",
                   labels, *record.succeeded ? 1 : 0);
    if (!record.proven) continue;
    families.add("fettle_restore_verified_timestamp_seconds", "When a restore was proven last.", labels,
                 base::seconds(record.proven->ended));
    families.add("fettle_restore_duration_seconds",
                 "From the begin of the last proven restore until its data could be used.", labels,
                 base::seconds(record.proven->restore));
    families.add("fettle_restore_size_bytes", "Size of the files that the last proven restore brought back.", labels,
                 static_cast<double>(record.proven->bytes));
    if (record.proven->data_age)
      families.add("fettle_restore_data_age_seconds",
                   "Age of the newest data that the last proven restore brought back, when it began.", labels,
                   base::seconds(*record.proven->data_age));
  }
}

std::vector<web::FaultDrillPage> fault_drill_pages(const std::vector<recover::FaultDrillStatus>& drills) {
  std::vector<web::FaultDrillPage> out;
  for (const recover::FaultDrillStatus& drill : drills) {
    const recover::FaultReport& last = drill.record.last;
    web::FaultDrillPage& page = out.emplace_back();
    page.name = drill.name;
    page.service = drill.service;
    page.fault = to_string(drill.fault);
    page.doing = drill.doing;
    page.result = to_string(last.result);
    page.text = last.text;
    page.began = last.started;
    page.ended = last.ended;
    page.due = drill.due;
    page.must_pass_by = drill.must_pass_by;
    page.last_success = drill.record.last_success;
    for (const auto& [stage, took] : last.stages)
      page.stage_seconds.emplace_back(std::string(to_string(stage)), base::seconds(took));
  }
  return out;
}

void add_fault_drills(Families& families, const std::vector<recover::FaultDrillStatus>& drills) {
  for (const recover::FaultDrillStatus& drill : drills) {
    const model::Labels labels{{"service", drill.service}, {"fault", std::string(to_string(drill.fault))}};
    const recover::FaultRecord& record = drill.record;
    families.add("fettle_drill_running", "1 while the fault is rehearsed at the service.", labels,
                 drill.doing.empty() ? 0 : 1);
    if (drill.must_pass_by)
      families.add("fettle_drill_due_timestamp_seconds",
                   "When a drill of the fault must have passed again: max_age after the last that did, or after it was "
                   "configured.",
                   labels, base::seconds(*drill.must_pass_by));
    if (record.succeeded)
      families.add("fettle_drill_success",
                   "1 if the last drill of the fault passed, 0 if not; one that was interrupted does not count.",
                   labels, *record.succeeded ? 1 : 0);
    if (record.last_success)
      families.add("fettle_drill_last_success_timestamp_seconds", "When a drill of the fault passed last.", labels,
                   base::seconds(*record.last_success));
    for (const auto& [stage, took] : record.last.stages)
      families.add("fettle_drill_stage_seconds",
                   "Of the last drill of the fault: detect, locate and recover since the fault; drain, cure, verify, "
                   "undrain and deliver for themselves.",
                   labels.with("stage", std::string(to_string(stage))), base::seconds(took));
  }
}

void add_objectives(Families& families, const std::string& service, const config::Objectives& objectives) {
  for (const auto& [name, wanted] :
       {std::pair{"rpo", &objectives.rpo}, std::pair{"rto", &objectives.rto}, std::pair{"detect", &objectives.detect},
        std::pair{"locate", &objectives.locate}, std::pair{"recover", &objectives.recover}})
    if (*wanted)
      families.add(
          "fettle_service_objective_seconds",
          "What is wanted of the service: rpo and rto after a disaster; detect, locate and recover of a fault.",
          {{"service", service}, {"objective", name}}, base::seconds(**wanted));
}

}  // namespace app
