// The priorities of sd-daemon(3), for `journalctl -p`: the beginning of each line of the log where standard error is
// the journal's. From every thread.
#pragma once

#include <string_view>

#include "base/log.h"

namespace base::log {

std::string_view journal_priority(Level level);  // "<3>" for an error
// Whether `fd` is what JOURNAL_STREAM names ("device:inode"; null: it is not set). Programs that were started by a unit
// may have another standard error than the unit.
bool is_journal(const char* journal_stream, int fd);

}  // namespace base::log
