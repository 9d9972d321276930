// What MySQL and MariaDB say.
#include "fuzz/conversation.h"
#include "fuzz/fuzz.h"

void fuzz::one_input(std::string_view bytes) {
  static const Conversation mysql(
      "mysql", "db:3306",
      {"username=fettle", "password=secret", "role=replica", "max_lag=10s", "public_key_retrieval=true",
       "queries=[{name: waiting, sql: SELECT 1, less_than: 5}]"});
  mysql.hear(bytes);
}
