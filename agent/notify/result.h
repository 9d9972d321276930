// What became of messages and attempts, by the names that counters have.
#pragma once

#include <array>
#include <string_view>

namespace notify {

// Of each attempt: sent, retried (no connection, no answer, 5xx, 429), refused (another 4xx). Of a message: parked (set
// aside, because it alone is refused). Of a group: silenced. Of a receiver: fallback
// (another is told in its place from now on).
enum class SendResult { sent, retried, refused, parked, silenced, fallback };
std::string_view to_string(SendResult result);

// Why a message will not be sent: superseded (by one with what is true now), resolved_untold (its alerts ended before
// anybody was told that they fire), and what the others say.
enum class DropReason { superseded, resolved_untold, parked, too_old, receiver_removed, unreadable };
std::string_view to_string(DropReason reason);
inline constexpr std::array kDropReasons{DropReason::superseded, DropReason::resolved_untold,  DropReason::parked,
                                         DropReason::too_old,    DropReason::receiver_removed, DropReason::unreadable};

}  // namespace notify
