// Drills, as pages and /metrics show them. Pure.
#pragma once

#include <vector>

#include "app/families.h"
#include "config/agent_config.h"
#include "recover/drill/drills.h"
#include "recover/drill/fault_drills.h"
#include "web/snapshot.h"

namespace app {

std::vector<web::DrillPage> drill_pages(const std::vector<recover::DrillStatus>& drills);
std::vector<web::FaultDrillPage> fault_drill_pages(const std::vector<recover::FaultDrillStatus>& drills);
void add_fault_drills(Families& families, const std::vector<recover::FaultDrillStatus>& drills);
void add_drills(Families& families, const std::vector<recover::DrillStatus>& drills);
void add_objectives(Families& families, const std::string& service, const config::Objectives& objectives);

}  // namespace app
