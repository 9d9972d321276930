// What people change over the admin socket: each request is written to the log with who and why, and the pages show
// what came of it. Loop thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "app/rollouts.h"
#include "app/service_health_table.h"
#include "notify/silences.h"
#include "recover/dispatcher.h"
#include "recover/drill/drills.h"
#include "recover/drill/fault_drills.h"
#include "recover/standby/standbys.h"
#include "web/admin_backend.h"

namespace app {

// All of it outlives the handlers.
struct AdminContext {
  const ServiceHealthTable& health_table;
  recover::Dispatcher& dispatcher;
  Rollouts& rollouts;
  recover::Drills& drills;
  recover::FaultDrills& fault_drills;
  recover::Standbys& standbys;
  notify::Silences& silences;
  const std::string& config_file;
  std::function<void(web::AdminBackend::Done)> reload;
  std::function<void()> changed;  // the last snapshot is not true any more
  std::function<void()> publish;  // draws the next one at once
};

std::unique_ptr<web::AdminBackend> make_admin_handlers(AdminContext context);

}  // namespace app
