// The HTTP server (CivetWeb): read-only over TCP; changing things only over the unix admin socket.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "base/secret.h"
#include "model/agent_defaults.h"
#include "promql/engine_options.h"
#include "web/backend.h"
#include "web/snapshot.h"

namespace web {

struct ServerOptions {
  std::string listen_address = model::kListenAddress;  // [host]:port; port 0 picks one
  std::string web_config_file;  // exporter-toolkit format: TLS, client certificates, basic auth (bcrypt)
  std::string admin_socket;     // "": none
  std::string external_url;     // for links in pages
  promql::EngineOptions engine;
  int max_queries = 20;  // at a time; others wait
  // Bytes of all answers of the API together, while they are computed and sent.
  std::size_t answer_memory = std::size_t{256} * 1024 * 1024;
};

// What a file of web_config_file asks for. Nothing of one that cannot be read: no server starts with it.
struct PortAccess {
  bool tls = false;
  bool login = false;  // a password or a client's certificate
};
PortAccess port_access(const std::string& web_config_file);

class Server {
 public:
  static base::Result<std::unique_ptr<Server>> start(ServerOptions options, SnapshotSlot& slot, Backend& backend);
  ~Server();  // waits for running requests, bounded

  int port() const;
  // Reads the server's certificate again if its files changed; each second. Loop thread.
  void look_at_files();
  void snapshot_changed();  // wakes the event streams; any thread

 private:
  Server();
  struct Rep;
  struct Listener;
  std::unique_ptr<Rep> rep_;
};

}  // namespace web
