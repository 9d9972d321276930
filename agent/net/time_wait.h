// Whether this process leaves TCP connections behind in TIME_WAIT, asked of the kernel: each holds a port for a minute,
// and a thousand probes a second would use them up. Probes close by a reset and leave none; this is the proof.
// Loop thread only.
#pragma once

#include <cstddef>

namespace net {

// To be called before a socket of this process is closed. Remembers both ends of a TCP connection, of the first 16
// after each count, which is sample enough to show a way of closing that leaves them; does nothing for other sockets.
void note_closing(int fd);

// How many of the connections that were noted since the last count the kernel still waits for (TIME_WAIT, or on the way
// to it). Each is asked about once, 3 µs; all of them are forgotten. Without sock_diag: none.
std::size_t count_left_behind();

}  // namespace net
