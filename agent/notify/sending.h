// The keys that every integration of a receiver has beside its own.
#pragma once

#include "base/time.h"
#include "config/schema.h"

namespace notify {

struct SendingKeys {
  bool send_resolved = true;
  base::Millis timeout{10'000};
};

// As Alertmanager has it, some integrations do not tell the end unless they are asked to.
enum class EndTold { by_default, when_asked };
const config::Schema<SendingKeys>& sending_schema(EndTold end);

}  // namespace notify
