#include "loop/connect_reason.h"

#include <cerrno>

namespace loop {

using model::Reason;

model::Reason reason_of_connect(int code) {
  switch (code) {
    case ECONNREFUSED:
    case ENOENT:  // no such unix socket: nobody listens
      return Reason::refused;
    case ETIMEDOUT:
    case EAGAIN:  // the accept queue of a unix socket is full
      return Reason::connect_timeout;
    case ECONNRESET: return Reason::reset;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM: return Reason::agent_overloaded;
    default: return Reason::unreachable;
  }
}

}  // namespace loop
