// Where an agent is and looks when nothing else is said: for its own command line and for those who ask it.
#pragma once

namespace model {

inline constexpr char kListenAddress[] = ":10911";
inline constexpr char kAgentUrl[] = "http://127.0.0.1:10911";
inline constexpr char kAdminSocket[] = "/run/fettle/admin.sock";
inline constexpr char kConfigFile[] = "/etc/fettle/fettle.yml";

}  // namespace model
