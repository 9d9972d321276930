#include "net/unix_datagram.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "fakes/run_until.h"

namespace {

std::string socket_path() {
  return std::filesystem::temp_directory_path() / ("fettle-datagram-" + std::to_string(::getpid()));
}

bool send(const std::string& path, const std::string& bytes) {
  const base::UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return ::sendto(fd.value(), bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&address),
                  sizeof address) == static_cast<ssize_t>(bytes.size());
}

}  // namespace

TEST_CASE("datagrams come one by one with the sender's user, too long ones not at all") {
  loop::EventLoop loop;
  const std::string path = socket_path();
  std::vector<std::string> got;
  net::DatagramSender sender{4711, 4711};
  auto handle = net::receive_datagrams(loop, path, [&](std::string_view bytes, const net::DatagramSender& from) {
    got.emplace_back(bytes);
    sender = from;
  });
  REQUIRE(handle.has_value());
  CHECK(send(path, "order"));
  CHECK(send(path, std::string(4097, 'x')));
  CHECK(send(path, ""));
  CHECK(send(path, std::string(4096, 'y')));
  REQUIRE(fakes::run_until(loop, [&] { return got.size() == 3; }));
  CHECK(got == std::vector<std::string>{"order", "", std::string(4096, 'y')});
  CHECK(sender.user == ::getuid());
  CHECK(sender.process == ::getpid());
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0660);
  handle->reset();
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("an old socket file is replaced, any other file is left alone") {
  loop::EventLoop loop;
  const std::string path = socket_path();
  auto old = net::receive_datagrams(loop, path, [](auto, auto) {});
  auto newer = net::receive_datagrams(loop, path, [](auto, auto) {});
  REQUIRE(newer.has_value());
  old->reset();
  CHECK(std::filesystem::exists(path));
  newer->reset();

  std::ofstream(path) << "precious";
  const auto refused = net::receive_datagrams(loop, path, [](auto, auto) {});
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().text == "cannot receive datagrams at " + path + ": a file that is no socket is there");
  CHECK(std::filesystem::exists(path));
  std::filesystem::remove(path);
  CHECK(net::receive_datagrams(loop, std::string(200, 'x'), [](auto, auto) {}).error().kind == base::Kind::invalid);
}
