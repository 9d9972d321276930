// ICMP echo: one request and its answer. Without privilege through a ping socket where net.ipv4.ping_group_range lets
// the agent's group (icmp(7)), else through a raw socket (CAP_NET_RAW). Used inside net/; others ask the Dialer.
#pragma once

#include <functional>

#include "net/resolver.h"
#include "net/stream.h"

namespace loop {
class EventLoop;
}  // namespace loop

namespace net {

// The first address of the name is asked: a test of one path, not of whichever answers.
loop::Handle send_ping(loop::EventLoop& loop, Resolver& resolver, Ping ping, std::function<void(Pinged)> done);

}  // namespace net
