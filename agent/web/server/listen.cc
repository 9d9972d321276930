#include "web/server/listen.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "base/number.h"

namespace web {
namespace {

constexpr const char* kName = "web";

// A socket file that nobody listens on is left from a crash; one that answers belongs to a running agent.
base::Result<> clear_socket(const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (path.size() >= sizeof name.sun_path)
    return base::fail(base::Kind::invalid,
                      fmt::format("--admin.socket={}: a path of at most {} bytes", path, sizeof name.sun_path - 1));
  path.copy(name.sun_path, path.size());
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return {};
  if (!S_ISSOCK(status.st_mode))
    return base::fail(base::Kind::invalid,
                      fmt::format("--admin.socket={}: there is something that is no socket", path));
  const base::UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(probe.value(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0)
    return base::fail(base::Kind::unavailable, fmt::format("--admin.socket={}: another agent listens there", path));
  ::unlink(path.c_str());
  return {};
}

}  // namespace

base::Result<net::Acceptor> listen_on_address(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  const auto refuse = [&] {
    return base::fail(base::Kind::invalid,
                      fmt::format("--web.listen-address={}: expected [HOST]:PORT, such as :10911, 127.0.0.1:0 or "
                                  "[::1]:10911",
                                  address));
  };
  if (colon == std::string::npos) return refuse();
  const std::string host = address.substr(0, colon), port = address.substr(colon + 1);
  const auto number = base::read_number<std::uint16_t>(port);
  if (!number) return refuse();
  if (host.find(',') != std::string::npos || (host.find(':') != std::string::npos && host.front() != '['))
    return refuse();
  auto acceptor = net::Acceptor::on_tcp(host, *number);
  if (!acceptor)
    return base::fail(acceptor.error().kind, fmt::format("--web.listen-address={}: {}; is another program there?",
                                                         address, acceptor.error().text));
  return acceptor;
}

base::Result<net::Acceptor> listen_on_admin_socket(const std::string& path, const AdminGroups& groups) {
  TRY_VOID(clear_socket(path));
  auto acceptor = net::Acceptor::on_unix(path, groups.changers ? 0666 : 0660);
  if (!acceptor)
    return base::fail(acceptor.error().kind, fmt::format("--admin.socket={}: {}", path, acceptor.error().text));
  return acceptor;
}

base::Result<PrivateSocket> PrivateSocket::prepare(const std::string& admin_socket) {
  std::vector<std::filesystem::path> folders;
  if (!admin_socket.empty()) folders.push_back(std::filesystem::absolute(admin_socket).parent_path());
  std::error_code none;
  folders.push_back(std::filesystem::temp_directory_path(none));
  folders.emplace_back("/dev/shm");
  base::Error last{};
  for (const std::filesystem::path& each : folders) {
    std::string folder = (each / ".fettle-web.XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr) {
      last = base::fail_errno(errno, folder).value();
      continue;
    }
    base::UniqueFd fd(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (fd) return PrivateSocket(std::move(folder), std::move(fd));
    last = base::fail_errno(errno, folder).value();
    ::rmdir(folder.c_str());
  }
  return base::fail(last.kind, fmt::format("no folder for the web server's own socket: {}", last.text));
}

PrivateSocket::~PrivateSocket() {
  if (folder_.empty() || !folder_fd_) return;
  ::unlinkat(folder_fd_.value(), kName, 0);
  ::rmdir(folder_.c_str());
}

std::string PrivateSocket::name_to_listen_on() const {
  return fmt::format("/proc/self/fd/{}/{}", folder_fd_.value(), kName);
}

base::Result<> PrivateSocket::hide() {
  socket_fd_ = base::UniqueFd(::openat(folder_fd_.value(), kName, O_PATH | O_CLOEXEC));
  if (!socket_fd_) return base::fail_errno(errno, fmt::format("{}/{}", folder_, kName));
  ::unlinkat(folder_fd_.value(), kName, 0);
  ::rmdir(folder_.c_str());
  folder_.clear();
  return {};
}

std::string PrivateSocket::name_to_connect_to() const { return fmt::format("/proc/self/fd/{}", socket_fd_.value()); }

}  // namespace web
