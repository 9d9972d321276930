// A unix datagram socket that receives: heartbeats.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "loop/handle.h"

namespace loop {
class EventLoop;
}  // namespace loop

namespace net {

// Who sent a datagram, as the kernel says. The process may have ended since.
struct DatagramSender {
  uid_t user = 0;
  pid_t process = 0;
};

// Binds `path` (an old socket file there is replaced), mode 0660. Each datagram up to 4 KiB, with its sender.
base::Result<loop::Handle> receive_datagrams(
    loop::EventLoop& loop, const std::string& path,
    std::function<void(std::string_view bytes, const DatagramSender& sender)> on_datagram);

}  // namespace net
