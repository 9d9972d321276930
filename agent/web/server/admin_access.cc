#include "web/server/admin_access.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace web {

AdminGroups admin_groups() {
  AdminGroups groups{::geteuid(), ::getegid(), {}};
  std::array<char, 16384> buffer{};
  group entry{};
  group* found = nullptr;
  if (::getgrnam_r(kChangersGroup, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
    groups.changers = found->gr_gid;
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
