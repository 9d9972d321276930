// Restarts a container through the Docker Engine API on a unix socket. Whoever may use the engine's own socket is root
// on the node; so a proxy that lets nothing through but POST /containers/NAME/restart is the socket to name here. The
// path carries no version: the engine then speaks its newest, and proxies filter the same words.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "base/text.h"
#include "config/schema.h"
#include "http/http_client.h"
#include "recover/action.h"

namespace recover {
namespace {

struct Settings {
  std::string verb;
  std::string container;
  std::string socket = "/run/docker.sock";
  base::Millis stop_timeout{10'000};
};

const auto& schema() {
  static const auto s =
      config::Schema<Settings>("docker")
          .required("verb", &Settings::verb, "restart.")
          .optional("container", &Settings::container, "Name or id of the container; empty: the service's name.")
          .optional(
              "socket", &Settings::socket,
              "Unix socket of the engine, or better of a proxy that lets only POST /containers/NAME/restart through.")
          .optional("stop_timeout", &Settings::stop_timeout,
                    "What the container's stop signal gets, in whole seconds, before the engine kills it.")
          .check([](const Settings& s2, const config::Complain& complain) {
            if (s2.socket.empty() || s2.socket.front() != '/') complain("socket", "must be an absolute path");
            if (s2.stop_timeout < base::Millis{0}) complain("stop_timeout", "must not be negative");
          });
  return s;
}

// Names as the engine takes them; none of their characters means anything in a path.
bool is_container(std::string_view name) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  return name.size() >= 2 && name.size() <= 255 && kLetters.find(name.front()) != std::string_view::npos &&
         name.find_first_not_of(std::string(kLetters) + "_.-") == std::string_view::npos;
}

// {"message": "…"}, or what a proxy says in its place.
std::string message_of(const std::string& body) {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (json.is_object() && json.contains("message") && json["message"].is_string()) return json["message"];
  return std::string(base::first_line(body, 200));
}

class Docker final : public Action {
 public:
  explicit Docker(Settings settings) : settings_(std::move(settings)) {}
  loop::Handle run(const Context& context, const Trigger&, base::Instant deadline,
                   std::function<void(ActionResult)> done) const override {
    http::HttpRequest request;
    request.method = "POST";
    request.url = fmt::format("http://docker/containers/{}/{}?t={}", settings_.container, settings_.verb,
                              std::chrono::ceil<std::chrono::seconds>(settings_.stop_timeout).count());
    request.unix_socket = settings_.socket;
    request.deadline = deadline;
    request.max_redirects = 0;
    return context.http->request(std::move(request),
                                 [done = std::move(done), this, what = text()](const http::HttpResponse& response) {
                                   done(result_of(what, response));
                                 });
  }
  std::string text() const override { return fmt::format("docker {} {}", settings_.verb, settings_.container); }

 private:
  ActionResult result_of(const std::string& what, const http::HttpResponse& response) const {
    if (response.reason == model::Reason::read_timeout)
      return {"timeout",
              fmt::format("{}: the engine did not answer in time; it may still restart the container", what)};
    if (response.reason != model::Reason::none)
      return {"failed", fmt::format("{}: {}: {}", what, settings_.socket, response.text)};
    const std::string said = message_of(response.body);
    const std::string tail = said.empty() ? "" : ": " + said;
    switch (response.status) {
      case 204: return {"ok", what + ": done"};
      case 403:
        return {"refused", fmt::format("{}: {} does not allow it{}; the proxy must let POST /containers/{}/{} through",
                                       what, settings_.socket, tail, settings_.container, settings_.verb)};
      case 404: return {"failed", fmt::format("{}: not found{}; see: docker ps --all", what, tail)};
      default: return {"failed", fmt::format("{}: HTTP status {}{}", what, response.status, tail)};
    }
  }

  Settings settings_;
};

// "restart", or {verb: restart, container: order-1, socket: /run/docker-proxy.sock}.
std::unique_ptr<const Action> parse(const config::Node& node, const std::string& path, const ActionOwner& owner,
                                    config::Errors& errors) {
  const std::size_t before = errors.size();
  Settings settings = schema().parse_or_word(node, &Settings::verb, path, errors);
  if (errors.size() > before) return nullptr;
  const config::Node verb = node.is_mapping() ? node.find("verb") : node;
  if (settings.verb != "restart") errors.add(verb.mark(), path, config::expected("restart", verb));
  if (settings.container.empty()) settings.container = owner.service;
  const config::Node container = node.is_mapping() ? node.find("container") : node;
  if (!is_container(settings.container))
    errors.add(container.is_null() ? node.mark() : container.mark(), path,
               fmt::format("'{}' is no name of a container: letters, digits and _.- are", settings.container));
  if (errors.size() > before) return nullptr;
  return std::make_unique<Docker>(std::move(settings));
}

}  // namespace

extern const ActionType docker_type;
const ActionType docker_type{"docker", "Restarts a container through the Docker Engine API on a unix socket.",
                             "{docker: {verb: restart, container: order-1, socket: /run/docker-proxy.sock}}", parse,
                             []() -> const std::vector<config::KeyReference>& { return schema().reference(); }};

}  // namespace recover
