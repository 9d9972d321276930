#include "model/alert.h"

namespace model {

std::string_view to_string(AlertState state) {
  switch (state) {
    case AlertState::inactive: return "inactive";
    case AlertState::pending: return "pending";
    case AlertState::firing: return "firing";
  }
  return "inactive";
}

}  // namespace model
