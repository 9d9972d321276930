// A unix datagram socket that receives: heartbeats.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "loop/scheduler.h"

namespace loop {

class EventLoop;

// Binds `path` (an old socket file there is replaced), mode 0660. Each datagram up to 4 KiB, with the sender's uid.
base::Result<Handle> receive_datagrams(EventLoop& loop, const std::string& path,
                                       std::function<void(std::string_view bytes, uid_t sender)> on_datagram);

}  // namespace loop
