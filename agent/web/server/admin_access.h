// Who may do what over the admin socket, by what the kernel says of the process that connected. Any thread.
#pragma once

#include <grp.h>
#include <sys/types.h>

#include <optional>
#include <string>

#include "net/acceptor.h"

namespace web {

// Makes changes: silences, maintenance, recovery, reload.
inline constexpr const char* kChangersGroup = "fettle-admin";

struct AdminGroups {
  uid_t agent = 0;                // the agent's own user
  gid_t readers = 0;              // its own group
  std::optional<gid_t> changers;  // kChangersGroup; none: this node does not have it, and readers may change
};
// Of a node that could not say whether it has the group: then the group has no members.
inline constexpr gid_t kNoGroup = static_cast<gid_t>(-1);
// As this process and this node have them; blocking. `look_up` is getgrnam_r(3).
using GroupLookup = int (*)(const char* name, group* entry, char* buffer, std::size_t size, group** found);
AdminGroups admin_groups(GroupLookup look_up = ::getgrnam_r);

enum class AdminRight { none, read, change };

// root and the agent's own user may change, and so may members of `changers`; members of `readers` may read. Pure.
AdminRight admin_right(const net::Peer& peer, const AdminGroups& groups);

// For the log: "alice" or the number of a user without a name; blocking.
std::string user_name(uid_t user);

}  // namespace web
