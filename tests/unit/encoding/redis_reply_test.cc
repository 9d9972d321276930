// Redis' protocol. The answers were recorded from Redis 7.0.
#include "encoding/redis_reply.h"

#include <doctest/doctest.h>

#include <string>

namespace {

// "+OK" for a simple one, "*[$a $b]" for an array, "broken" or "more".
std::string shown(const encoding::RedisReply& reply) {
  if (reply.kind != '*') return reply.kind + reply.text;
  std::string out = "*[";
  for (const auto& item : reply.items) out += (out.size() > 2 ? " " : "") + shown(item);
  return out + "]";
}

std::string read_all(std::string bytes) {
  std::string out;
  bool broken = false;
  while (const auto reply = encoding::take_redis_reply(bytes, broken)) out += shown(*reply) + ";";
  return out + (broken ? "broken" : bytes.empty() ? "" : "more");
}

}  // namespace

TEST_CASE("answers are taken one by one, and only when they are complete") {
  CHECK(read_all("+PONG\r\n:12\r\n-ERR no\r\n") == "+PONG;:12;-ERR no;");
  CHECK(read_all("$5\r\na\r\nbc\r\n$-1\r\n$0\r\n\r\n") == "$a\r\nbc;$-1;$;");
  CHECK(read_all("*4\r\n$20\r\nmin-replicas-max-lag\r\n$2\r\n10\r\n$1\r\na\r\n:3\r\n") ==
        "*[$min-replicas-max-lag $10 $a :3];");
  CHECK(read_all("*-1\r\n*0\r\n*2\r\n*1\r\n:1\r\n+a\r\n") == "*[];*[];*[*[:1] +a];");
  CHECK(read_all("+PONG\r") == "more");
  CHECK(read_all("$5\r\nabc") == "more");
  CHECK(read_all("*2\r\n:1\r\n") == "more");
  for (const char* bad : {"HTTP/1.1 400\r\n", "$x\r\n", "$-2\r\n", "$1000001\r\n", "*1001\r\n", "*1\r\nx",
                          "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"}) {
    CAPTURE(bad);
    CHECK(read_all(bad) == "broken");
  }
}

TEST_CASE("a command is sent as an array of strings") {
  CHECK(encoding::redis_command({"REPLICAOF", "NO", "ONE"}) == "*3\r\n$9\r\nREPLICAOF\r\n$2\r\nNO\r\n$3\r\nONE\r\n");
}

TEST_CASE("a field of INFO is found by its whole name") {
  const std::string info = "# Replication\r\nrole:slave\r\nmaster_host:10.0.0.1\r\nslave_repl_offset:56\r\n";
  CHECK(encoding::redis_field(info, "role") == "slave");
  CHECK(encoding::redis_field(info, "slave_repl_offset") == "56");
  CHECK(encoding::redis_field(info, "slave_repl") == "");
  CHECK(encoding::redis_field(info, "host") == "");
}
