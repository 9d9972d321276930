// A WebSocket (RFC 6455): the upgrade and its proof, a text message and what must come back, a ping, a clean close.
#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "base/ascii.h"
#include "base/base64.h"
#include "base/host_port.h"
#include "base/number.h"
#include "base/random.h"
#include "base/text.h"
#include "config/request.h"
#include "crypto/hmac.h"
#include "encoding/url.h"
#include "http/authorization.h"
#include "http/header_lines.h"
#include "http/http_client.h"
#include "loop/scheduler.h"
#include "net/tls/tls.h"
#include "net/tls/tls_config.h"
#include "probe/common/probe_schema.h"
#include "probe/common/stream_probe.h"
#include "probe/common/values.h"
#include "probe/http/http_answer.h"
#include "probe/net/query_response.h"
#include "probe/own_fault.h"
#include "probe/registry.h"

namespace probe {
namespace {

using model::Outcome;
using model::Reason;

struct WebsocketSettings {
  std::string url;
  http::HeaderLines headers;
  std::string send;
  Pattern expect;
  std::vector<SendExpect> query_response;
  bool ping = true;
  net::TlsSettings tls_config;
  std::optional<http::BasicAuth> basic_auth;
  std::optional<http::Authorization> authorization;
  IpProtocol ip_protocol;
};

std::size_t scheme_size(std::string_view url) {
  return url.starts_with("ws://") ? 5 : url.starts_with("wss://") ? 6 : 0;
}

const config::Schema<WebsocketSettings>& schema() {
  static const auto schema =
      probe_schema<WebsocketSettings>("websocket")
          .required("url", &WebsocketSettings::url, "What to connect to, with ws:// or wss://.")
          .reach(config::Reach::listed, config::ValueFormat::url)
          .optional("headers", &WebsocketSettings::headers,
                    "Headers of the request to upgrade, by name; a list for several of one name.")
          .optional("send", &WebsocketSettings::send, "Text message to send. Empty: none.")
          .optional("expect", &WebsocketSettings::expect,
                    "Regular expression (RE2) to find in a message; messages before it are passed over.")
          .list("query_response", &WebsocketSettings::query_response, send_expect_schema(),
                "More than one exchange, as in the blackbox exporter: what to find in a message, and the text to send. "
                "Instead of send and expect.")
          .optional("ping", &WebsocketSettings::ping, "Send a ping at last and wait for its pong.")
          .optional("tls_config", &WebsocketSettings::tls_config, net::tls_schema(), "How to speak TLS.")
          .optional("basic_auth", &WebsocketSettings::basic_auth, http::basic_auth_schema(),
                    "User and password to send.")
          .optional("authorization", &WebsocketSettings::authorization, http::authorization_schema(),
                    "A token to send.")
          .optional("ip_protocol", &WebsocketSettings::ip_protocol, "Addresses to use: any, ip4 or ip6.")
          .reach(config::Reach::listed)
          .check([](const WebsocketSettings& websocket, const config::Complain& complain) {
            for (const char c : websocket.url)
              if (static_cast<unsigned char>(c) <= 0x20 || c == '#' || c == 0x7f)
                return complain("url", "must not contain white space or '#'");
            if (const std::string why = config::url_complaint(websocket.url, "ws://127.0.0.1:8081/feed"); !why.empty())
              complain("url", why);
            else if (encoding::names_user(websocket.url))
              complain("url", "must not bring a login along; write basic_auth");
            if (websocket.basic_auth && websocket.authorization)
              complain("authorization", "cannot stand beside basic_auth");
            if (!websocket.query_response.empty() && (!websocket.send.empty() || websocket.expect.regex))
              complain("query_response", "cannot stand beside send and expect; write them as its turns");
            for (const SendExpect& turn : websocket.query_response)
              if (turn.starttls || !turn.expect_bytes.empty() || !turn.labels.empty())
                complain("query_response", "a turn over a WebSocket has expect and send only");
          });
  return schema;
}

struct Prepared {
  net::Dial dial;
  std::string head;  // of the request, without the key and the empty line
  std::optional<http::BasicAuth> basic_auth;
  std::optional<http::Authorization> authorization;
  std::vector<SendExpect> turns;
  bool ping = true;
  std::string target;
};

base::Random& entropy() {
  static base::Random random = base::Random::from_entropy();
  return random;
}

std::string random_bytes(std::size_t size) {
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(entropy().below(256));
  return bytes;
}

enum class Opcode : unsigned char { more = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

// One frame of a client, masked as RFC 6455 5.3 wants it.
std::string frame(Opcode opcode, std::string_view payload) {
  std::string out{static_cast<char>(0x80U | static_cast<unsigned>(opcode))};
  const std::size_t size = payload.size();
  const int bytes = size < 126 ? 0 : size < 65'536 ? 2 : 8;
  out += static_cast<char>(0x80U | (bytes == 0 ? size : bytes == 2 ? 126U : 127U));
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>((size >> (8U * static_cast<unsigned>(i))) & 0xffU);
  const std::string mask = random_bytes(4);
  out += mask;
  for (std::size_t i = 0; i < size; ++i) out += static_cast<char>(payload[i] ^ mask[i % 4]);
  return out;
}

class WebsocketProbe final : public StreamProbe {
 public:
  WebsocketProbe(const Context& context, const Prepared& prepared)
      : StreamProbe(context, prepared.dial), scheduler_(context.scheduler), prepared_(prepared) {}

 private:
  void connected() override {
    began_ = scheduler_.now();
    key_ = base::base64_encode(random_bytes(16));
    std::string head = prepared_.head;
    if (prepared_.basic_auth || prepared_.authorization) {
      const auto value = prepared_.basic_auth ? http::header_value(*prepared_.basic_auth)
                                              : http::header_value(*prepared_.authorization);
      if (!value) return finish(failure_of(value.error(), Reason::agent_overloaded, "no credentials to send: "));
      if (value->find_first_of("\r\n") != std::string::npos)
        return finish(Outcome::failure(Reason::auth_failed, "no credentials to send: they have a line break in them"));
      head += "Authorization: " + *value + "\r\n";
    }
    say(head + "Sec-WebSocket-Key: " + key_ + "\r\n\r\n");
  }

  void received(std::string& bytes) override {
    if (!upgraded_ && !take_head(bytes)) return;
    while (!finished() && take_frame(bytes)) {
    }
  }

  // False: not yet, or the run is over.
  bool take_head(std::string& bytes) {
    const HttpAnswer::State state = answer_.take(std::exchange(bytes, {}));
    const http::HttpResponse& head = answer_.response();
    if (!answer_.head_seen()) return state == HttpAnswer::State::failed && over(head.reason, head.text);
    status_ = head.status;
    if ((status_ == 401 || status_ == 403) && (prepared_.basic_auth || prepared_.authorization))
      return over(Reason::auth_failed,
                  "answered with status " + std::to_string(status_) + ": the credentials were refused");
    if (status_ != 101)
      return over(Reason::status_mismatch, "answered with status " + std::to_string(status_) + ", expected 101");
    const auto header = [&](std::string_view name) {
      const std::string* value = http::find_header(head.headers, name);
      return value == nullptr ? std::string() : *value;
    };
    if (!base::same_word(header("Upgrade"), "websocket"))
      return over(Reason::header_mismatch, "upgrades to " + base::shown(header("Upgrade")) + ", not to websocket");
    // RFC 6455, 4.1: only who has read the request can know this.
    const std::string proof = base::base64_encode(crypto::sha1(key_ + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
    if (header("Sec-WebSocket-Accept") != proof)
      return over(Reason::header_mismatch, "has a wrong Sec-WebSocket-Accept: it did not read the request");
    upgraded_ = true;
    bytes = answer_.unread();
    const base::Instant now = scheduler_.now();
    upgrade_took_ = now - std::exchange(began_, now);
    go_on();
    return !finished();
  }

  bool awaits_message() const { return turn_ < prepared_.turns.size(); }

  // Says what is to be said until a turn waits for a message.
  void go_on() {
    while (awaits_message()) {
      const SendExpect& turn = prepared_.turns[turn_];
      if (turn.expect.regex && !met_) return;
      if (!turn.send.empty()) say(frame(Opcode::text, line_to_send(turn, captures_, matched_)));
      met_ = false;
      ++turn_;
    }
    satisfied();
  }

  // What had to come has come.
  void satisfied() {
    awaits_pong_ = prepared_.ping;
    if (!awaits_pong_) return leave();
    token_ = random_bytes(8);
    say(frame(Opcode::ping, token_));
  }

  void leave() {
    say_last(frame(Opcode::close, std::string_view("\x03\xe8", 2)),
             Outcome::success(prepared_.target + (heard_ ? " sent what was expected" : " was upgraded")));
  }

  // Takes the head of a frame, or of a message as much as is there; false if there is nothing, or the run is over.
  bool take_frame(std::string& bytes) {
    if (left_ > 0) return take_payload(bytes);
    if (bytes.size() < 2) return false;
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
    last_ = (at(0) & 0x80U) != 0;
    const auto opcode = static_cast<Opcode>(at(0) & 0x0fU);
    if ((at(0) & 0x70U) != 0) return over(Reason::protocol_error, "uses an extension that was not agreed on");
    if ((at(1) & 0x80U) != 0) return over(Reason::protocol_error, "masks its frames, which only clients do");
    std::uint64_t size = at(1) & 0x7fU;
    const std::size_t more = size == 126 ? 2 : size == 127 ? 8 : 0;
    if (bytes.size() < 2 + more) return false;
    if (more > 0) size = 0;
    for (std::size_t i = 0; i < more; ++i) size = size << 8U | at(2 + i);
    if (opcode == Opcode::more || opcode == Opcode::text || opcode == Opcode::binary) {
      bytes.erase(0, 2 + more);
      // Nobody reads what was not waited for, however long it is: a whole book may come first.
      if (opcode != Opcode::more) {
        message_.clear();
        wanted_ = awaits_message();
      }
      left_ = size;
      return size > 0 ? take_payload(bytes) : end_of_frame();
    }
    if (size > kControlLimit)
      return over(Reason::protocol_error, "sent a control frame of " + std::to_string(size) + " bytes");
    if (bytes.size() < 2 + size) return false;
    const std::string payload = bytes.substr(2, size);
    bytes.erase(0, 2 + size);
    switch (opcode) {
      case Opcode::ping: say(frame(Opcode::pong, payload)); return true;
      case Opcode::pong:
        if (awaits_pong_ && payload == token_) leave();
        return true;
      case Opcode::close: return over(Reason::closed_early, "closed the connection" + why_closed(payload));
      default: return over(Reason::protocol_error, "sent a frame of an unknown kind");
    }
  }

  bool take_payload(std::string& bytes) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
    if (size == 0) return false;
    if (wanted_ && message_.size() + size > kLimit)
      return over(Reason::too_large, "sent a message of more than " + std::to_string(kLimit) + " bytes");
    if (wanted_) message_.append(bytes, 0, size);
    bytes.erase(0, size);
    left_ -= size;
    return left_ > 0 || end_of_frame();
  }

  bool end_of_frame() {
    if (!last_ || !wanted_ || !awaits_message()) return true;
    heard_ = true;
    const SendExpect& turn = prepared_.turns[turn_];
    if (!turn.expect.regex->found_in(message_)) return true;
    met_ = true;
    captures_ = turn.captures ? &*turn.captures : nullptr;
    matched_ = message_;
    go_on();
    return true;
  }

  static std::string why_closed(std::string_view payload) {
    if (payload.size() < 2) return "";
    const int code = static_cast<unsigned char>(payload[0]) << 8 | static_cast<unsigned char>(payload[1]);
    return " with code " + std::to_string(code) + (payload.size() > 2 ? " " + base::shown(payload.substr(2)) : "");
  }

  bool over(Reason reason, const std::string& text) {
    finish(Outcome::failure(reason, prepared_.target + " " + text));
    return false;
  }

  void measure(Outcome& outcome) override {
    // Messages came until the end, and none was the right one.
    const bool mismatch = heard_ && awaits_message() && outcome.reason == Reason::read_timeout;
    if (mismatch)
      outcome = Outcome::failure(Reason::body_mismatch, prepared_.target + " sent no message that matches " +
                                                            prepared_.turns[turn_].expect.regex->pattern() +
                                                            "; the last was " + base::shown(message_));
    const auto tell = [&](const char* name, double value, model::Labels labels = {}) {
      outcome.measurements.push_back({name, value, std::move(labels)});
    };
    const base::Duration talked = upgraded_ ? scheduler_.now() - began_ : base::Duration{};
    tell("probe_websocket_duration_seconds", model::duration_value(upgrade_took_), {{"phase", "upgrade"}});
    tell("probe_websocket_duration_seconds", model::duration_value(talked), {{"phase", "message"}});
    tell("probe_websocket_status_code", status_);
    tell("probe_websocket_connection_upgraded", upgraded_ ? 1 : 0);
    tell("probe_websocket_failed_due_to_regex", mismatch ? 1 : 0);
  }

  static constexpr std::size_t kLimit = 10 * 1024 * 1024;
  static constexpr std::uint64_t kControlLimit = 125;  // RFC 6455, 5.5
  loop::Scheduler& scheduler_;
  const Prepared& prepared_;
  HttpAnswer answer_{"GET", 0, HttpAnswer::Beyond::counted};
  std::string key_, token_;
  std::string message_;  // the one that comes, or came last, if it was wanted
  bool wanted_ = false;
  bool last_ = false;       // the frame that comes ends its message
  std::uint64_t left_ = 0;  // of that frame
  base::Instant began_{};
  base::Duration upgrade_took_{};
  int status_ = 0;
  bool upgraded_ = false;
  bool heard_ = false;  // any message while one was awaited
  bool met_ = false;    // the message that the turn awaits has come
  std::size_t turn_ = 0;
  const base::Regex* captures_ = nullptr;  // of the last expectation that was met
  std::string matched_;                    // the message that met it
  bool awaits_pong_ = false;
};

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner&,
                                      config::Errors& errors) {
  WebsocketSettings websocket = schema().parse(node, path, errors);
  Prepared prepared;
  const bool secure = websocket.url.starts_with("wss://");
  std::string_view rest = std::string_view(websocket.url).substr(scheme_size(websocket.url));
  const std::string authority(rest.substr(0, rest.find_first_of("/?")));
  rest.remove_prefix(authority.size());
  const std::size_t colon = authority.rfind(':');
  const bool with_port = colon != std::string::npos && authority.find(']', colon) == std::string::npos;
  auto host = host_and_port(with_port ? authority : authority + ":" + (secure ? "443" : "80"));
  const std::string& port = host[1].second;
  prepared.dial.port = base::read_number<std::uint16_t>(port).value_or(0);
  if (errors.size() == 0 && prepared.dial.port == 0)
    errors.add(node.mark(), path + ".url", "has no port between 1 and 65535 after its ':'");
  prepared.dial.host = base::host_of_url(host[0].second);
  prepared.dial.family = websocket.ip_protocol.family;
  if (secure) prepared.dial.tls = net::tls_context(websocket.tls_config, node, path, errors);
  prepared.dial.tls_name = http::tls_name_of(websocket.headers.all);
  prepared.head = "GET " + std::string(rest.starts_with('/') ? "" : "/") + std::string(rest) + " HTTP/1.1\r\n";
  if (http::find_header(websocket.headers.all, "Host") == nullptr)
    prepared.head += "Host: " + base::without_zone(authority) + "\r\n";
  if (http::find_header(websocket.headers.all, "User-Agent") == nullptr) prepared.head += "User-Agent: fettle\r\n";
  prepared.head += "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
  for (const auto& [name, value] : websocket.headers.all) prepared.head += name + ": " + value + "\r\n";
  prepared.basic_auth = std::move(websocket.basic_auth);
  prepared.authorization = std::move(websocket.authorization);
  prepared.turns = std::move(websocket.query_response);
  if (!websocket.send.empty()) prepared.turns.emplace_back().send = std::move(websocket.send);
  if (websocket.expect.regex) prepared.turns.emplace_back().expect = std::move(websocket.expect);
  prepare(prepared.turns);
  prepared.ping = websocket.ping;
  prepared.target = std::move(websocket.url);
  return std::make_unique<PreparedSettings<WebsocketProbe, Prepared>>(std::move(prepared));
}

}  // namespace

const Type websocket_type{
    .name = "websocket",
    .summary = "Opens a WebSocket, checks the upgrade, a message if asked, and that a ping comes back.",
    .example = R"(name: feed
type: websocket
url: ws://127.0.0.1:8081/feed
send: '{"subscribe": "prices"}'
expect: '"subscribed"'
interval: 5s
timeout: 1s
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {"probe_websocket_duration_seconds", "probe_websocket_status_code",
                     "probe_websocket_connection_upgraded", "probe_websocket_failed_due_to_regex", "probe_ip_protocol",
                     "probe_ip_addr_hash", "probe_dns_lookup_time_seconds"},
    .keys_of_target = [](std::string_view target) -> std::vector<std::pair<std::string, std::string>> {
      return {{"url", std::string(target)}};
    },
    .other_measurements = with_chain({}),
};

}  // namespace probe
