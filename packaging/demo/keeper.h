// The parent of the shop's processes, as systemd is on a real node: a recovery command asks it to start one, because
// what a command starts itself is ended with it.
#pragma once

#include <string>

namespace shop {

// Starts NAME for each datagram "start NAME" on RUN/keeper.ctl, from the words of RUN/NAME.cmd; reaps what ends.
// Returns at SIGTERM or SIGINT and leaves the children alone.
void keep(const std::string& run);

}  // namespace shop
