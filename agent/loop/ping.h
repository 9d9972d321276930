// ICMP echo: one request and its answer. Without privilege through a ping socket where net.ipv4.ping_group_range lets
// the agent's group (icmp(7)), else through a raw socket (CAP_NET_RAW). Used inside loop/; others ask the Dialer.
#pragma once

#include <functional>

#include "loop/stream.h"

namespace loop {

class EventLoop;

// The first address of the name is asked: a test of one path, not of whichever answers.
Handle send_ping(EventLoop& loop, Resolver& resolver, Ping ping, std::function<void(Pinged)> done);

}  // namespace loop
