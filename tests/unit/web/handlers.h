// The handlers with a shop behind them, without a server.
#pragma once

#include <string>

#include "fakes/fake_backend.h"
#include "fakes/shop_snapshot.h"
#include "web/routes.h"

struct Handlers {
  web::SnapshotSlot slot;
  fakes::FakeBackend backend;
  web::ServerOptions options;
  web::QueryGate gate{2};
  web::AnswerMemory memory{std::size_t{64} * 1024 * 1024};
  web::Context context{slot,    backend,
                       options, [] { return base::wall_from_ms(fakes::kShopNow); },
                       nullptr, [] { return std::size_t{2}; },
                       gate,    memory};

  Handlers() {
    slot.store(std::make_shared<web::Snapshot>(fakes::shop_snapshot()));
    backend.shown = fakes::shop_metrics();
  }

  // GET with the part after ? decoded, as the server hands it over.
  web::Response get(const std::string& url) const { return ask("GET", url); }
  web::Response ask(const std::string& method, const std::string& url) const {
    web::Request request;
    request.method = method;
    request.path = url.substr(0, url.find('?'));
    if (url.find('?') != std::string::npos) web::add_params(url.substr(url.find('?') + 1), request.params);
    return answer(request);
  }
  // Also one that comes later, as the fakes give it at once.
  web::Response answer(const web::Request& request) const {
    web::Response response = web::route(request, context);
    if (const auto later = std::move(response.later)) later([&](web::Response late) { response = std::move(late); });
    return response;
  }
};

inline std::string header(const web::Response& response, std::string_view name) {
  for (const auto& [key, value] : response.headers)
    if (key == name) return value;
  return "";
}
