#include "model/health.h"

namespace model {

std::string_view to_string(Health health) {
  switch (health) {
    case Health::unknown: return "unknown";
    case Health::up: return "up";
    case Health::down: return "down";
  }
  return "unknown";
}

}  // namespace model
