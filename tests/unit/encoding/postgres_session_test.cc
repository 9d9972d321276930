#include "encoding/postgres_session.h"

#include <doctest/doctest.h>

#include <string>

namespace {

using namespace std::string_literals;
using encoding::PostgresSession;
using Kind = PostgresSession::Event::Kind;

std::string u32(std::size_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16 & 0xff), static_cast<char>(value >> 8 & 0xff),
          static_cast<char>(value & 0xff)};
}
std::string message(char type, const std::string& body) { return type + u32(body.size() + 4) + body; }

PostgresSession session(bool in_clear) {
  return PostgresSession({"fettle", "", [] { return base::Result<std::string>("secret"); }, in_clear});
}

}  // namespace

TEST_CASE("a session with PostgreSQL logs in, asks and hears, message by message") {
  PostgresSession postgres = session(true);
  CHECK(postgres.begin().find("database\0fettle\0"s) != std::string::npos);
  std::string bytes = message('R', u32(3));
  const PostgresSession::Event password = postgres.hear(bytes);
  CHECK(password.kind == Kind::send);
  CHECK(password.text == message('p', "secret\0"s));
  CHECK(postgres.hear(bytes).kind == Kind::more);
  bytes = message('R', u32(0)) + message('Z', "I");
  CHECK(postgres.hear(bytes).kind == Kind::heard);
  CHECK(postgres.hear(bytes).kind == Kind::ready);
  bytes = message('T', "\0\1n\0"s + std::string(18, 'x')) + message('D', "\0\2"s + u32(1) + "7" + "\xff\xff\xff\xff") +
          message('E', "C42501\0Mdenied\0\0"s) + message('Z', "I").substr(0, 5);
  CHECK(postgres.hear(bytes).kind == Kind::heard);
  CHECK(postgres.hear(bytes).kind == Kind::heard);
  const PostgresSession::Event error = postgres.hear(bytes);
  CHECK(error.kind == Kind::error);
  CHECK(error.code == "42501");
  CHECK(error.text == "error 42501: denied");
  CHECK(postgres.hear(bytes).kind == Kind::more);
  bytes += "I";
  CHECK(postgres.hear(bytes).kind == Kind::ready);
  const encoding::PostgresAnswer answer = postgres.take_answer();
  CHECK(answer.columns == std::vector<std::string>{"n"});
  REQUIRE(answer.rows.size() == 1);
  CHECK(answer.rows[0] == std::vector<std::optional<std::string>>{"7", std::nullopt});
  CHECK(postgres.take_answer().rows.empty());
}

TEST_CASE("a session with PostgreSQL sends no password in the clear where it may be heard, and believes no stranger") {
  PostgresSession careful = session(false);
  std::string bytes = message('R', u32(3));
  const PostgresSession::Event refused = careful.hear(bytes);
  CHECK(refused.kind == Kind::failed);
  CHECK(refused.reason == model::Reason::auth_failed);
  bytes = message('Z', "I");
  CHECK(session(true).hear(bytes).reason == model::Reason::protocol_error);
  bytes = "HTTP/1.1 400 Bad Request\r\n";
  CHECK(session(true).hear(bytes).reason == model::Reason::protocol_error);
}
