// Whether the client of a request is still there, for handlers that compute for long. CivetWeb does not say which
// socket is whose, so it is looked for among our own descriptors by its ports: once, and not before somebody asks. As
// in Go's server, a client that has closed its sending side has left. One worker thread.
#pragma once

#include <optional>

namespace web {

class ClientWatch {
 public:
  ClientWatch(int client_port, int server_port) : client_port_(client_port), server_port_(server_port) {}

  // False when in doubt.
  bool left();

 private:
  int client_port_, server_port_;
  std::optional<int> socket_;  // -1: not to be told from others
};

}  // namespace web
