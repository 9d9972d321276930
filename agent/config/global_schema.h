// The schema of `global`. Of config/ only.
#pragma once

#include "config/global.h"
#include "config/schema.h"

namespace config {

const Schema<Global>& global_schema();

}  // namespace config
