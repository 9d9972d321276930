// What the processes leave in the run folder: a pidfile and a control socket; and how they hear of signals.
#pragma once

#include <sys/un.h>

#include <initializer_list>
#include <string>

#include "net.h"

namespace shop {

// All of these throw std::runtime_error that names the file.
sockaddr_un unix_address(const std::string& path);
Fd control_socket(const std::string& path);
// Written beside and renamed: whoever reads the pidfile reads a whole number.
void write_pidfile(const std::string& path);
// Blocks the signals in this thread and those that it starts; they are read from the descriptor.
Fd take_signals(std::initializer_list<int> numbers);

}  // namespace shop
