// A server on the loopback with a shop behind it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "fakes/fake_backend.h"
#include "fakes/http_get.h"
#include "fakes/shop_snapshot.h"
#include "web/server/server.h"

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/fettle-web.XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

struct Running {
  web::SnapshotSlot slot;
  fakes::FakeBackend backend;
  std::unique_ptr<web::Server> server;
  std::string error;

  explicit Running(web::ServerOptions options = {}) {
    publish(fakes::shop_snapshot());
    backend.shown = fakes::shop_metrics();
    if (options.listen_address == ":10911") options.listen_address = "127.0.0.1:0";
    auto started = web::Server::start(std::move(options), slot, backend);
    if (started) server = *std::move(started);
    else error = started.error().text;
  }
  void publish(web::Snapshot snapshot) {
    slot.store(std::make_shared<web::Snapshot>(std::move(snapshot)));
    if (server) server->snapshot_changed();
  }
  base::UniqueFd connect() const { return fakes::connect_tcp(server->port()); }
  std::string ask(std::string_view head, std::string_view body = "") const {
    return fakes::http(connect(), head, body);
  }
};

inline bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }
