// Sends one value to a Zabbix server or proxy, on the loop: connect, write, read the answer, each node in turn.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "loop/handle.h"
#include "notify/notifier.h"

namespace net {
class TlsContext;
}  // namespace net

namespace notify {

struct ZabbixNode {
  std::string host;
  std::uint16_t port = 10051;
};

// The nodes of one server, of which one is active at a time: those that stand by do not listen.
struct ZabbixServer {
  std::vector<ZabbixNode> nodes;           // at least one
  std::shared_ptr<net::TlsContext> tls{};  // null: in the clear
};

// `request` is the JSON of "sender data". A node that gives no answer is followed by the next, each with an equal part
// of the time that is left; an answer, whatever it says, is the end. `done` comes once, in a later turn.
loop::Handle send_to_zabbix(const Context& context, const ZabbixServer& server, const std::string& request,
                            base::Instant deadline, std::function<void(Sent)> done);

}  // namespace notify
