// What a MariaDB server of a standby says of itself: the statements of a look, and what is read of the answers. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "encoding/mysql_session.h"
#include "recover/standby/standby_server.h"

namespace recover {

struct MariadbReply {
  bool refused = false;
  std::string trouble{};  // "": the session came to its end
  std::string version{};
  // One for each statement, with what the server said of one that it refused.
  struct Answer : encoding::MysqlAnswer {
    std::string error{};
  };
  std::vector<Answer> answers{};
};

std::vector<std::string> mariadb_look_statements();
// Pure; of the answers to those.
ServerLook read_mariadb_look(const MariadbReply& reply);
// Of "domain-server-sequence,…": the last sequence of each domain. What is no GTID is left out.
std::map<std::uint64_t, std::uint64_t> gtid_sequences(std::string_view text);

// As it is called in all versions.
inline constexpr const char* kMariadbReplication = "SHOW ALL SLAVES STATUS";
// Of the first row of the answer to that; "" for NULL and for what is not there.
std::string mariadb_field(const MariadbReply::Answer& replication, std::string_view name);

}  // namespace recover
