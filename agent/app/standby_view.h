// Hot standbys, as pages and /metrics show them. Pure.
#pragma once

#include <vector>

#include "app/families.h"
#include "recover/standby/standbys.h"
#include "web/snapshot.h"

namespace app {

std::vector<web::StandbyPage> standby_pages(const std::vector<recover::StandbyStatus>& standbys);
void add_standbys(Families& families, const std::vector<recover::StandbyStatus>& standbys);

}  // namespace app
