// How full accept queues and receive buffers are, and what is said of one.
#pragma once

#include <string>
#include <vector>

#include "net/listening_sockets.h"

namespace probe {

// Each socket has a queue of its own (SO_REUSEPORT): one worker that hangs loses its share of the customers. Null if
// there is no socket.
const net::ListeningSocket* fullest(const std::vector<net::ListeningSocket>& listening);

std::string places_text(const net::ListeningSocket& listener);  // "3 of 4 places of its queue are taken"
std::string saturated_text(const net::ListeningSocket& listener, double max_fill);

}  // namespace probe
