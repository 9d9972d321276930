#include "notify/result.h"

namespace notify {

std::string_view to_string(SendResult result) {
  switch (result) {
    case SendResult::sent: return "sent";
    case SendResult::retried: return "retried";
    case SendResult::refused: return "refused";
    case SendResult::parked: return "parked";
    case SendResult::silenced: return "silenced";
    case SendResult::fallback: break;
  }
  return "fallback";
}

std::string_view to_string(DropReason reason) {
  switch (reason) {
    case DropReason::superseded: return "superseded";
    case DropReason::resolved_untold: return "resolved_untold";
    case DropReason::parked: return "parked";
    case DropReason::too_old: return "too_old";
    case DropReason::receiver_removed: return "receiver_removed";
    case DropReason::unreadable: break;
  }
  return "unreadable";
}

}  // namespace notify
