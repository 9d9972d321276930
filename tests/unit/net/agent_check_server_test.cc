#include "net/agent_check_server.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "fakes/run_until.h"
#include "net/resolver.h"
#include "net/stream.h"

using std::chrono::seconds;

namespace {

struct Site {
  Site() {
    std::string pattern = (std::filesystem::temp_directory_path() / "fettle-line-XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
    path = folder + "/line.sock";
  }
  ~Site() { std::filesystem::remove_all(folder); }
  // What a peer is told that sends `says` first and does not close.
  std::string ask(const std::string& says) {
    std::string told;
    bool ended = false;
    std::unique_ptr<net::Stream> stream;
    net::Dial dial;
    dial.unix_path = path;
    dial.deadline = loop.now() + seconds{10};
    const auto handle = dialer.connect(std::move(dial), [&](net::Connected connected) {
      stream = std::move(connected.stream);
      if (!stream) {
        told = connected.failure.text;
        ended = true;
        return;
      }
      if (!says.empty()) stream->write(says, [](const net::StreamFailure*) {});
      stream->read([&](std::string_view bytes, const net::StreamFailure* failure) {
        told += bytes;
        ended = ended || bytes.empty() || failure != nullptr;
      });
    });
    fakes::run_until(loop, [&] { return ended; });
    return told;
  }
  std::string folder, path;
  loop::EventLoop loop;
  net::AresResolver resolver{loop};
  net::StreamDialer dialer{loop, resolver};
  net::SocketAgentCheckServer server{loop};
};

}  // namespace

TEST_CASE("who connects is told the line, whatever they say themselves") {
  Site s;
  int asked = 0;
  std::string peer;
  auto serving = s.server.serve("unix:" + s.path, [&](const std::string& from) {
    peer = from;
    return "up ready " + std::to_string(++asked) + "%\n";
  });
  REQUIRE(serving.has_value());
  CHECK(s.ask("") == "up ready 1%\n");
  CHECK(s.ask("order\n") == "up ready 2%\n");
  CHECK(s.ask(std::string(100'000, 'x')) == "up ready 3%\n");
  CHECK(peer == "unix");
  for (int i = 0; i < 200; ++i) CHECK(s.ask("") == "up ready " + std::to_string(4 + i) + "%\n");
  *serving = loop::Handle();
  CHECK_FALSE(std::filesystem::exists(s.path));
}

TEST_CASE("an address that cannot be served is named with the reason") {
  Site s;
  const auto line = [](const std::string&) { return std::string("\n"); };
  const auto text = [&](const std::string& address) {
    const auto served = s.server.serve(address, line);
    return served ? "served" : served.error().text;
  };
  CHECK(text("here") == "cannot listen at here: an address ends in :port, or is unix:/path");
  CHECK(text("order.example:80") ==
        "cannot listen at order.example:80: 'order.example' is no literal address of this node");
  CHECK(text("unix:") == "cannot listen at unix:: a socket's path has 1 to 107 characters");
  REQUIRE(base::write_file_atomically(s.folder + "/file", "x"));
  CHECK(text("unix:" + s.folder + "/file") ==
        "cannot listen at unix:" + s.folder + "/file: a file that is no socket is there");
  CHECK(text("127.0.0.1:0") == "served");
  CHECK(text("[::1]:0") != "");  // not every machine has IPv6
}
