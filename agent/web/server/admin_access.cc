#include "web/server/admin_access.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace web {

AdminGroups admin_groups(GroupLookup look_up) {
  AdminGroups groups{::geteuid(), ::getegid(), {}};
  constexpr std::size_t kMostText = std::size_t{16} * 1024 * 1024;  // all members' names are in it
  std::string buffer(16384, '\0');
  group entry{};
  group* found = nullptr;
  int code = look_up(kChangersGroup, &entry, buffer.data(), buffer.size(), &found);
  while (code == ERANGE && buffer.size() < kMostText) {
    buffer.resize(4 * buffer.size());
    code = look_up(kChangersGroup, &entry, buffer.data(), buffer.size(), &found);
  }
  const bool absent = code == 0 || code == ENOENT || code == ESRCH;  // getgrnam(3): systems differ
  if (found != nullptr) groups.changers = found->gr_gid;
  else if (!absent) groups.changers = kNoGroup;
  return groups;
}

AdminRight admin_right(const net::Peer& peer, const AdminGroups& groups) {
  const auto is_in = [&](gid_t group) {
    return peer.group == group || std::find(peer.groups.begin(), peer.groups.end(), group) != peer.groups.end();
  };
  if (peer.user == 0 || peer.user == groups.agent) return AdminRight::change;
  if (is_in(groups.changers.value_or(groups.readers))) return AdminRight::change;
  return is_in(groups.readers) ? AdminRight::read : AdminRight::none;
}

std::string user_name(uid_t user) {
  std::array<char, 16384> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(user, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) return found->pw_name;
  return std::to_string(user);
}

}  // namespace web
