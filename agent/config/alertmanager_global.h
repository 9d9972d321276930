// The keys of Alertmanager's own `global`, which people paste into ours: defaults of receivers, read by notify.
#pragma once

#include "config/global.h"
#include "config/schema.h"

namespace config {

void add_alertmanager_keys(Schema<Global>& schema);

}  // namespace config
