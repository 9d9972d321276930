// What PostgreSQL says.
#include "fuzz/conversation.h"
#include "fuzz/fuzz.h"

void fuzz::one_input(std::string_view bytes) {
  static const Conversation postgres(
      "postgres", "db:5432",
      {"username=fettle", "password=secret", "max_lag=10s", "queries=[{name: waiting, sql: SELECT 1, less_than: 5}]"});
  postgres.hear(bytes);
}
