// What a failed connect(2) means for the service that was to be reached. Used inside loop/ only.
#pragma once

#include "model/outcome.h"

namespace loop {

model::Reason reason_of_connect(int code);  // an errno

}  // namespace loop
