#include "base/result.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace base {

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::invalid: return "invalid";
    case Kind::not_found: return "not_found";
    case Kind::unavailable: return "unavailable";
    case Kind::timeout: return "timeout";
    case Kind::limit: return "limit";
    case Kind::io: return "io";
    case Kind::permission: return "permission";
    case Kind::protocol: return "protocol";
    case Kind::cancelled: return "cancelled";
  }
  return "invalid";
}

tl::unexpected<Error> fail_errno(int code, std::string_view what) {
  Kind kind = Kind::io;
  if (code == ENOENT || code == ESRCH) kind = Kind::not_found;
  if (code == EACCES || code == EPERM) kind = Kind::permission;
  // EAGAIN: of fork and clone, where no more tasks may be. What would only block is never an Error.
  for (const int want : {EMFILE, ENFILE, ENOMEM, ENOBUFS, EAGAIN, ENOSPC})
    if (code == want) kind = Kind::limit;
  if (code == ETIMEDOUT) kind = Kind::timeout;
  return fail(kind, fmt::format("{}: {}", what, std::strerror(code)));
}

}  // namespace base
