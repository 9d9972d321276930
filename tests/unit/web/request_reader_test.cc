#include "web/server/request_reader.h"

#include <doctest/doctest.h>

#include <string>

#include "web/server/http.h"

namespace {

using State = web::RequestReader::State;

// What a reader makes of bytes that come in parts of `part` bytes: "GET /path[ body]" for each request, then the state.
std::string read(const std::string& bytes, std::size_t part) {
  web::RequestReader reader;
  std::string out;
  State state = State::nothing;
  for (std::size_t at = 0; at < bytes.size() && state != State::refused; at += part) {
    reader.add(std::string_view(bytes).substr(at, part));
    while ((state = reader.look()) == State::whole) {
      const web::WholeRequest request = reader.take();
      out += request.method + " " + request.target + (request.body.empty() ? "" : " " + request.body) +
             (request.keep_alive ? "; " : " close; ");
    }
  }
  if (state == State::partly) out += "partly";
  if (state == State::refused) out += std::to_string(reader.status());
  return out;
}

}  // namespace

TEST_CASE("whole requests, however their bytes come") {
  struct Row {
    std::string bytes, want;
  };
  const Row rows[] = {
      {"", ""},
      {"\r\n", ""},
      {"G", "partly"},
      {"GET / HTTP/1.1\r\nHost: a\r\n", "partly"},
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET /; "},
      {"GET / HTTP/1.1\nHost: a\n\n", "GET /; "},
      {"\r\nGET / HTTP/1.1\r\n\r\n", "GET /; "},
      {"GET / HTTP/1.1\r\n\r\nHEAD /b?c=d HTTP/1.1\r\n\r\nP", "GET /; HEAD /b?c=d; partly"},
      {"GET / HTTP/1.1\r\nConnection: TE , Close\r\n\r\n", "GET / close; "},
      {"GET / HTTP/1.0\r\n\r\n", "GET / close; "},
      {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET /; "},
      {"OPTIONS * HTTP/1.1\r\n\r\n", "OPTIONS *; "},
      // RFC 9112, 3.2.2: as proxies ask.
      {"GET http://shop.test:80/metrics?a=b HTTP/1.1\r\nHost: other\r\n\r\n", "GET /metrics?a=b; "},
      {"GET HTTPS://shop.test HTTP/1.1\r\n\r\n", "GET /; "},
      {"GET http://shop.test?a HTTP/1.1\r\n\r\n", "GET /?a; "},
      {"GET http:///metrics HTTP/1.1\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n\r\n", "POST / abc; GET /; "},
      {"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", "partly"},
      {"POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n3;name=\"v\"\r\nabc\r\n0a\r\n0123456789\r\n0\r\nx: "
       "y\r\n\r\nG",
       "POST / abc0123456789; partly"},
      {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", "partly"},
      // RFC 9112, 6.3 and 6.1: what two servers could read in two ways is refused.
      {"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "400"},
      {"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", "400"},
      {"POST / HTTP/1.1\r\nContent-Length: 3, 3\r\n\r\nabc", "400"},
      {"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501"},
      {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nContent-Length:\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n", "413"},
      {"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", "413"},
      {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n", "413"},
      {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "400"},
      {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nContent-Length : 3\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nA: b\r\n folded: c\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nno colon\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nA: b\rContent-Length: 3\r\n\r\n", "400"},
      {"GET / HTTP/3.7\r\n", "505"},
      {"GET /a b HTTP/1.1\r\n", "400"},
      {"GET /\r\n", "400"},
      {"nonsense\r\n", "400"},
      {"CONNECT shop.test:80 HTTP/1.1\r\n", "400"},
      {"\x16\x03\x01\x02\n", "400"},
  };
  for (const Row& row : rows)
    for (const std::size_t part : {1, 7, 100'000}) {
      CAPTURE(row.bytes);
      CAPTURE(part);
      CHECK(read(row.bytes, part) == row.want);
    }
}

TEST_CASE("a head and a body have their limits") {
  const std::string line = "GET / HTTP/1.1\r\n";
  CHECK(read(line + "A: " + std::string(32'000, 'a') + "\r\n\r\n", 1000) == "GET /; ");
  CHECK(read(line + "A: " + std::string(33'000, 'a'), 1000) == "431");
  CHECK(read("GET /" + std::string(33'000, 'a'), 1000) == "431");
  std::string many = line;
  for (int i = 0; i < 61; ++i) many += "A: b\r\n";
  CHECK(read(many, 1000) == "431");
  std::string chunks = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 17; ++i) chunks += "10000\r\n" + std::string(65'536, 'x') + "\r\n";
  CHECK(read(chunks, 16'384) == "413");
  CHECK(read("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;" + std::string(5000, 'x'), 100) == "431");
  std::string trailers = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
  for (int i = 0; i < 1000; ++i) trailers += "Trailer-of-no-use: 1\r\n";
  CHECK(read(trailers, 100) == "431");
}

TEST_CASE("what is handed on says the same in one way, and nothing of the connection") {
  web::RequestReader reader;
  reader.add(
      "POST http://shop.test/a?b HTTP/1.1\r\nhost: other\r\nFETTLE-Exchange: 7\r\nX: y\r\nConnection: X\r\n"
      "Keep-Alive: 5\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\nUpgrade: h2c\r\n\r\n");
  CHECK(reader.look() == State::partly);
  CHECK(reader.wants_continue());
  CHECK_FALSE(reader.wants_continue());
  reader.add("2\r\nab\r\n0\r\n\r\n");
  REQUIRE(reader.look() == State::whole);
  const web::WholeRequest request = reader.take();
  CHECK(request.bytes("First: 1") ==
        "POST /a?b HTTP/1.1\r\nFirst: 1\r\nHost: shop.test\r\nX: y\r\nContent-Length: 2\r\n\r\nab");
  CHECK(request.path() == "/a");
  CHECK(request.header("x") == "y");
}
