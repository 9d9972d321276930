// Whether a program may be run with the agent's rights: only root and the agent's own user can put another one in
// its place.
#pragma once

#include <string>

#include "base/result.h"

namespace os {

// An absolute path to a regular file that this user may execute. The file, and every folder and symbolic link on the
// way to it, belongs to root or to this user and may be written by no other user; a sticky folder such as /tmp may, for
// what lies in it and was checked cannot be exchanged there. invalid, and what to do, if not; not_found if it is not
// there; permission and limit where this process cannot tell. A few system calls for each folder of the path.
//
// Between this and exec nothing has to be held: what has been checked can be changed by those two users only. An exec
// of the checked descriptor would add nothing and cost much: the program would be called by a number in ps and for
// pkill, and a script would find /dev/fd/N as its $0, where Debian's pg_wrapper and whatever else looks for its own
// name fail.
base::Result<> check_program(const std::string& path);

}  // namespace os
