// Where the server listens: the TCP port, the admin socket, and the private socket between front and workers. At start.
#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "net/acceptor.h"
#include "web/server/admin_access.h"

namespace web {

// "[host]:port" as Go's net.Listen has it. Without a host both families are listened on.
base::Result<net::Acceptor> listen_on_address(const std::string& address);

// Any user may connect: who may change something is told by `groups`. Without a group for changes only the agent's own
// group may connect. A socket that a crash left is replaced; one that answers belongs to a running agent.
base::Result<net::Acceptor> listen_on_admin_socket(const std::string& path, const AdminGroups& groups);

// A folder in which CivetWeb makes its socket. Once it listens, the name goes, and only we can still connect.
class PrivateSocket {
 public:
  // In the first of these folders that can be written: that of the admin socket, the one for temporary files, memory.
  static base::Result<PrivateSocket> prepare(const std::string& admin_socket);
  PrivateSocket(PrivateSocket&&) = default;
  PrivateSocket& operator=(PrivateSocket&&) = default;
  ~PrivateSocket();  // removes what is left of folder and name

  // For bind(2), without what CivetWeb takes for an option of a port: it takes a digit before an s for TLS.
  std::string name_to_listen_on() const;
  base::Result<> hide();                   // after listen(2)
  std::string name_to_connect_to() const;  // after hide(), while this lives

 private:
  PrivateSocket(std::string folder, base::UniqueFd fd) : folder_(std::move(folder)), folder_fd_(std::move(fd)) {}

  std::string folder_;  // "" once it is gone
  base::UniqueFd folder_fd_, socket_fd_;
};

}  // namespace web
