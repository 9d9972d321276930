#include "checkout.h"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <mutex>
#include <random>
#include <set>

namespace shop {
namespace {

constexpr int kPriceInCents = 1990;
constexpr int kLimitMs = 1000;
constexpr std::size_t kMost = 1000;  // carts and sessions that are remembered

std::mutex mutex;
std::set<std::string> sessions;
std::map<int, int> carts;  // pieces by number of the cart
int last_cart = 0;

Response refused(int status, std::string_view why) {
  return {.status = status, .body = fmt::format(R"({{"service":"gateway","error":"{}"}})", why)};
}

// The value of "key": in a flat JSON object, without quotes; "" if it is not there. Enough for a demo.
std::string field(std::string_view json, std::string_view key) {
  const std::string quoted = fmt::format("\"{}\"", key);
  std::size_t at = json.find(quoted);
  if (at == std::string_view::npos) return "";
  json.remove_prefix(at + quoted.size());
  at = json.find_first_not_of(": \"");
  if (at == std::string_view::npos) return "";
  json.remove_prefix(at);
  return std::string(json.substr(0, json.find_first_of("\",}")));
}

int number(std::string_view text) {
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Response log_in(const Settings& settings, const Request& request) {
  if (settings.secret.empty() || field(request.body, "password") != settings.secret)
    return refused(401, "wrong user or password");
  static std::random_device entropy;
  const std::lock_guard lock(mutex);
  const std::string token = fmt::format("{:08x}{:08x}", entropy(), entropy());
  if (sessions.size() >= kMost) sessions.clear();
  sessions.insert(token);
  return {.body = fmt::format(R"({{"token":"{}"}})", token)};
}

bool logged_in(const Request& request) {
  const auto header = request.headers.find("authorization");
  if (header == request.headers.end() || !header->second.starts_with("Bearer ")) return false;
  const std::lock_guard lock(mutex);
  return sessions.contains(header->second.substr(7));
}

Response open_cart(const Request& request) {
  const int pieces = number(field(request.body, "quantity"));
  if (pieces < 1) return refused(400, "quantity must be at least 1");
  const std::lock_guard lock(mutex);
  if (carts.size() >= kMost) carts.clear();
  carts[++last_cart] = pieces;
  return {.status = 201, .body = fmt::format(R"({{"cart":{},"quantity":{}}})", last_cart, pieces)};
}

std::optional<int> pieces_in(int cart) {
  const std::lock_guard lock(mutex);
  const auto found = carts.find(cart);
  return found == carts.end() ? std::nullopt : std::optional(found->second);
}

std::string priced(int cart, int pieces) {
  return fmt::format(R"("cart":{},"total":{:.2f},"currency":"EUR")", cart, pieces * kPriceInCents / 100.0);
}

// Everything that an order needs is asked, and nothing is bought.
Response try_order(const Settings& settings, const Request& request) {
  const int cart = number(field(request.body, "cart"));
  const auto pieces = pieces_in(cart);
  if (!pieces) return refused(404, "no such cart");
  const auto order = settings.peers.find("order");
  const Response got = order == settings.peers.end() ? Response{.status = 0, .body = "not configured"}
                                                     : http_get(order->second, "/check", 3 * kLimitMs);
  if (got.status == 0) return refused(503, fmt::format("order: {}", got.body));
  if (got.status != 200) return got;  // says who failed
  return {.body = fmt::format(R"({{{},"accepted":true,"dry_run":true}})", priced(cart, *pieces))};
}

Response serve_cart(const Request& request, std::string_view rest) {
  const int cart = number(rest);
  const auto pieces = pieces_in(cart);
  if (!pieces) return refused(404, "no such cart");
  if (request.method == "GET" && rest.ends_with("/price"))
    return {.body = fmt::format("{{{}}}", priced(cart, *pieces))};
  if (request.method != "DELETE") return refused(404, "no such path");
  const std::lock_guard lock(mutex);
  carts.erase(cart);
  return {.status = 204, .body = ""};
}

}  // namespace

std::optional<Response> serve_customer(const Settings& settings, const Request& request) {
  const std::string_view path = request.path;
  if (path == "/login" && request.method == "POST") return log_in(settings, request);
  if (path != "/carts" && !path.starts_with("/carts/") && path != "/orders/check") return std::nullopt;
  if (!logged_in(request)) return refused(401, "log in first");
  if (path == "/carts" && request.method == "POST") return open_cart(request);
  if (path == "/orders/check" && request.method == "POST") return try_order(settings, request);
  if (path.starts_with("/carts/")) return serve_cart(request, path.substr(7));
  return refused(404, "no such path");
}

}  // namespace shop
