#include "roles.h"

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "checkout.h"
#include "signature.h"

namespace shop {
namespace {

constexpr int kPeerLimitMs = 1000;
constexpr int kStock = 100;

Response unavailable(std::string_view who, std::string_view peer, const Response& got) {
  const std::string why = got.status == 0 ? got.body : fmt::format("status {}", got.status);
  return {.status = 503, .body = fmt::format(R"({{"service":"{}","error":"{}: {}"}})", who, peer, why)};
}

// Takes one piece from the stock in Redis; without a Redis the shelf is imaginary. Restocks at zero: a demo sells on.
Response reserve(const Settings& settings) {
  const auto store = settings.peers.find("redis");
  if (store == settings.peers.end()) return {.body = R"({"service":"inventory","stock":null})"};
  const std::string answer = redis(store->second, "DECR stock", kPeerLimitMs);
  if (answer.empty() || answer[0] != ':')
    return unavailable("inventory", "redis", {.status = 0, .body = answer.empty() ? "no answer" : "refused"});
  if (answer[1] == '-' || answer == ":0") redis(store->second, fmt::format("SET stock {}", kStock), kPeerLimitMs);
  return {.body = fmt::format(R"({{"service":"inventory","stock":{}}})", answer.substr(1))};
}

Response order(const Settings& settings) {
  static std::atomic<int> number = 0;
  for (const auto& [peer, path] : {std::pair{"payment", "/pay"}, std::pair{"inventory", "/reserve"}}) {
    const auto address = settings.peers.find(peer);
    if (address == settings.peers.end()) continue;
    const Response got = http_get(address->second, path, kPeerLimitMs);
    if (got.status != 200) return unavailable("order", peer, got);
  }
  return {.body = fmt::format(R"({{"service":"order","order":{},"paid":true,"reserved":true}})", ++number)};
}

// Whether an order would go through now; nothing is paid or reserved.
Response check_order(const Settings& settings) {
  for (const auto& [peer, path] : {std::pair{"payment", "/quote"}, std::pair{"inventory", "/stock"}}) {
    const auto address = settings.peers.find(peer);
    if (address == settings.peers.end()) continue;
    const Response got = http_get(address->second, path, kPeerLimitMs);
    if (got.status != 200) return unavailable("order", peer, got);
  }
  return {.body = R"({"service":"order","ready":true})"};
}

Response stock(const Settings& settings) {
  const auto store = settings.peers.find("redis");
  if (store != settings.peers.end() && !redis(store->second, "PING", kPeerLimitMs).starts_with("+PONG"))
    return unavailable("inventory", "redis", {.status = 0, .body = "no answer"});
  return {.body = R"({"service":"inventory","available":true})"};
}

Response forward_to_order(const Settings& settings) {
  const auto address = settings.peers.find("order");
  const Response got = address == settings.peers.end() ? Response{.status = 0, .body = "not configured"}
                                                       : http_get(address->second, "/order", 3 * kPeerLimitMs);
  return got.status != 0 ? got : unavailable("gateway", "order", got);  // its answer says who failed
}

std::string header(const Request& request, const std::string& name) {
  const auto found = request.headers.find(name);
  return found == request.headers.end() ? "" : found->second;
}

// One line a delivery: when it came, its id, what the signature said, and the payload itself.
Response take_delivery(const Settings& settings, const Request& request) {
  static std::mutex file_mutex;
  const std::string id = header(request, "webhook-id");
  const bool verified = signature_matches(settings.secret, id, header(request, "webhook-timestamp"), request.body,
                                          header(request, "webhook-signature"));
  if (!verified) return {.status = 401, .body = R"({"error":"the signature does not match"})"};
  std::string payload = request.body;
  for (char& c : payload)
    if (c == '\n' || c == '\r') c = ' ';  // only between tokens: inside a JSON string they are escaped
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const double seconds = std::chrono::duration<double>(now).count();
  const std::lock_guard lock(file_mutex);
  std::FILE* file = std::fopen(settings.file.c_str(), "ae");
  if (!file) return {.status = 500, .body = R"({"error":"cannot write the file of deliveries"})"};
  fmt::print(file, "{{\"received\":{:.6f},\"verified\":true,\"id\":\"{}\",\"payload\":{}}}\n", seconds, id, payload);
  std::fclose(file);
  return {.body = R"({"accepted":true})"};
}

Response answer(const Settings& settings, const Request& request) {
  if (request.path == "/healthz") return {.body = fmt::format(R"({{"service":"{}","status":"ok"}})", settings.role)};
  if (settings.role == "gateway" && request.path == "/order") return forward_to_order(settings);
  if (settings.role == "gateway")
    if (auto served = serve_customer(settings, request)) return *served;
  if (settings.role == "order" && request.path == "/order") return order(settings);
  if (settings.role == "order" && request.path == "/check") return check_order(settings);
  if (settings.role == "payment" && request.path == "/quote") return {.body = R"({"service":"payment","ready":true})"};
  if (settings.role == "inventory" && request.path == "/stock") return stock(settings);
  if (settings.role == "payment" && request.path == "/pay") return {.body = R"({"service":"payment","paid":true})"};
  if (settings.role == "inventory" && request.path == "/reserve") return reserve(settings);
  if (settings.role == "hooks" && request.method == "POST") return take_delivery(settings, request);
  return {.status = 404, .body = fmt::format(R"({{"service":"{}","error":"no such path"}})", settings.role)};
}

}  // namespace

Handler handler_of(const Settings& settings, Faults& faults) {
  return [&settings, &faults](const Request& request) -> Response {
    struct Running {
      std::atomic<int>& count;
      explicit Running(std::atomic<int>& counter) : count(counter) { ++count; }
      ~Running() { --count; }
    } const running(faults.running);
    while (faults.mute) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (const int slow = faults.slow_ms) std::this_thread::sleep_for(std::chrono::milliseconds(slow));
    if (faults.error) return {.status = 500, .body = R"({"error":"this service was told to fail"})"};
    return answer(settings, request);
  };
}

}  // namespace shop
