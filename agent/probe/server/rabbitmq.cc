// RabbitMQ over AMQP 0-9-1: the whole handshake with a login, a virtual host, and how many messages and consumers its
// queues have. Whatever the server finds, the connection is closed as the protocol has it: brokers log those who hang
// up.
#include <algorithm>
#include <utility>

#include "base/credential.h"
#include "base/text.h"
#include "probe/common/endpoint.h"
#include "probe/common/probe_schema.h"
#include "probe/common/stream_probe.h"
#include "probe/common/values.h"
#include "probe/registry.h"
#include "probe/server/amqp_message.h"

namespace probe {
namespace {

using amqp::Method;
using model::Outcome;
using model::Reason;

struct RabbitmqSettings : EndpointSettings, LoginSettings {
  RabbitmqSettings() { port = 5672; }
  std::string vhost = "/";
  std::vector<std::string> queues;
  std::int64_t max_messages = 0;
  int min_consumers = 0;
};

const config::Schema<RabbitmqSettings>& schema() {
  static const auto schema = [] {
    auto keys = probe_schema<RabbitmqSettings>("rabbitmq");
    add_endpoint_keys(keys, {.port = "Port to connect to; 5671 is usual with tls.",
                             .unix_socket = nullptr,
                             .tls = "Speak TLS from the first byte."});
    add_login_keys(keys, Username::required,
                   "User to log in as (PLAIN). It needs no permission but for the virtual host.");
    return keys.optional("vhost", &RabbitmqSettings::vhost, "Virtual host to open.")
        .reach(config::Reach::listed)
        .optional("queues", &RabbitmqSettings::queues,
                  "Queues that must be there; their messages that are ready and their consumers are measured (a "
                  "passive declare). Rates and totals are the management API's: type json, preset rabbitmq.")
        .reach(config::Reach::listed)
        .optional("max_messages", &RabbitmqSettings::max_messages,
                  "Messages in one of the queues above which the run fails with queue_saturated; 0: any number.")
        .optional("min_consumers", &RabbitmqSettings::min_consumers, "Consumers that each queue must have at least.")
        .check([](const RabbitmqSettings& rabbitmq, const config::Complain& complain) {
          if (!rabbitmq.has_password())
            complain("password_file", "RabbitMQ wants a password; give password_file or password");
          if (rabbitmq.vhost.empty() || rabbitmq.vhost.size() > 255)
            complain("vhost", "must have 1 to 255 bytes; the first virtual host's name is /");
          for (const std::string& queue : rabbitmq.queues)
            if (queue.empty() || queue.size() > 255) complain("queues", "a queue's name has 1 to 255 bytes");
          if (rabbitmq.max_messages < 0) complain("max_messages", "must not be negative");
          if (rabbitmq.min_consumers < 0) complain("min_consumers", "must not be negative");
          if (rabbitmq.queues.empty() && rabbitmq.max_messages > 0) complain("max_messages", "needs queues");
          if (rabbitmq.queues.empty() && rabbitmq.min_consumers > 0) complain("min_consumers", "needs queues");
        });
  }();
  return schema;
}

using Prepared = EndpointTarget<RabbitmqSettings>;

class RabbitmqProbe final : public StreamProbe {
 public:
  RabbitmqProbe(const Context& context, const Prepared& prepared)
      : StreamProbe(context, prepared.dial), settings_(prepared.settings), target_(prepared.target) {}

 private:
  static constexpr std::uint16_t kChannel = 1;
  static constexpr std::uint64_t kFrameLimit = 128 * 1024;
  static constexpr std::uint8_t kPassive = 1;

  void connected() override {
    const auto password = base::credential(settings_.password, settings_.password_file);
    if (!password)
      return fail(Reason::agent_overloaded, "was not asked; no password to send: " + password.error().text);
    password_ = *password;
    say(std::string(amqp::kProtocolHeader));
  }

  void received(std::string& bytes) override {
    bool broken = false;
    // A server that wants another protocol answers with the header of its own (4.2.2 of the specification).
    const bool begins = expected_ == Method::connection_start;
    if (begins && !bytes.empty() && std::string_view("AMQP").starts_with(std::string_view(bytes).substr(0, 4))) {
      if (bytes.size() < 8) return;
      std::string version = std::to_string(bytes[5]);
      for (const std::size_t i : {6U, 7U}) version += "-" + std::to_string(bytes[i]);
      return fail(Reason::protocol_error, "refuses AMQP 0-9-1 and offers " + version);
    }
    while (!finished()) {
      const auto frame = amqp::take_frame(bytes, broken);
      if (broken) return fail(Reason::protocol_error, "does not speak AMQP 0-9-1: " + base::shown(bytes));
      if (!frame) return;
      if (frame->type == amqp::kMethodFrame) heard(frame->payload);
    }
  }

  void heard(std::string_view payload) {
    BigEndianReader in(payload);
    const auto method = static_cast<Method>(in.number(4));
    if (method == Method::connection_close) return refused(amqp::read_closing(in));
    if (method == Method::connection_close_ok && verdict_) return finish(std::move(*verdict_));
    // Words that are not an answer; after our own close everything else is to be ignored.
    if (method == Method::connection_blocked || method == Method::connection_unblocked || verdict_) return;
    if (method == Method::channel_close && expected_ == Method::queue_declare_ok)
      return missing(amqp::read_closing(in));
    if (method == Method::connection_secure)
      return fail(Reason::auth_failed, "wants more for the login than PLAIN has to say");
    if (method != expected_)
      return fail(Reason::protocol_error, "said " + number_of(method) + " where " + number_of(expected_) + " belongs");
    switch (method) {
      case Method::connection_start: return log_in(in);
      case Method::connection_tune: return tune(in);
      case Method::connection_open_ok:
        opened_ = true;
        if (settings_.queues.empty()) return leave();
        return ask(Method::channel_open_ok, kChannel, Method::channel_open, amqp::short_text(""));
      case Method::channel_open_ok: return declare();
      case Method::queue_declare_ok: return counted(in);
      default: return;
    }
  }

  void log_in(BigEndianReader& in) {
    in.number(2);  // 0 and 9
    const auto properties = amqp::read_texts(in);
    const std::string mechanisms(in.text(in.number(4)));
    if (in.broken()) return fail(Reason::protocol_error, "begins with properties that cannot be read");
    const auto property = [&](const char* name) {
      const auto found = properties.find(name);
      return found == properties.end() ? std::string() : label_text(found->second);
    };
    info_ = model::Labels{
        {"product", property("product")}, {"version", property("version")}, {"cluster_name", property("cluster_name")}};
    product_ = property("product") + " " + property("version");
    if ((" " + mechanisms + " ").find(" PLAIN ") == std::string::npos)
      return fail(Reason::auth_failed, "offers no login by PLAIN, but " + base::shown(mechanisms));
    const std::string nul(1, '\0');
    ask(Method::connection_tune, 0, Method::connection_start_ok,
        amqp::client_properties() + amqp::short_text("PLAIN") +
            amqp::long_text(nul + settings_.username + nul + password_) + amqp::short_text("en_US"));
  }

  // One channel, frames of the server's size, no heartbeats: this connection will be gone before the first is due.
  void tune(BigEndianReader& in) {
    in.number(2);
    const std::uint64_t offered = in.number(4);
    const std::uint64_t frame = offered == 0 ? kFrameLimit : std::min(offered, kFrameLimit);
    say(amqp::method_frame(0, Method::connection_tune_ok,
                           big_endian(kChannel, 2) + big_endian(frame, 4) + big_endian(0, 2)));
    ask(Method::connection_open_ok, 0, Method::connection_open,
        amqp::short_text(settings_.vhost) + amqp::short_text("") + '\0');
  }

  void declare() {
    if (asked_ == settings_.queues.size()) return leave();
    const std::string& queue = settings_.queues[asked_++];
    ask(Method::queue_declare_ok, kChannel, Method::queue_declare,
        big_endian(0, 2) + amqp::short_text(queue) + big_endian(kPassive, 1) + amqp::long_text(""));
  }

  void counted(BigEndianReader& in) {
    const std::string& queue = settings_.queues[asked_ - 1];
    amqp::read_short_text(in);
    const auto messages = static_cast<std::int64_t>(in.number(4));
    const auto consumers = static_cast<std::int64_t>(in.number(4));
    if (in.broken()) return fail(Reason::protocol_error, "does not tell the length of " + queue);
    learnt_.push_back({"probe_rabbitmq_queue_exists", 1, {{"queue", queue}}});
    learnt_.push_back({"probe_rabbitmq_queue_messages_ready", static_cast<double>(messages), {{"queue", queue}}});
    learnt_.push_back({"probe_rabbitmq_queue_consumers", static_cast<double>(consumers), {{"queue", queue}}});
    if (settings_.max_messages > 0 && messages > settings_.max_messages)
      note(Reason::queue_saturated, "has " + std::to_string(messages) + " messages in the queue " + queue +
                                        "; max_messages is " + std::to_string(settings_.max_messages));
    if (consumers < settings_.min_consumers)
      note(Reason::status_mismatch, "has " + std::to_string(consumers) + " of the " +
                                        std::to_string(settings_.min_consumers) + " consumers that the queue " + queue +
                                        " must have");
    declare();
  }

  // The server closed the channel over a queue; the others are asked on a new one.
  void missing(const amqp::Closing& closing) {
    const std::string& queue = settings_.queues[asked_ - 1];
    if (closing.code == 404) learnt_.push_back({"probe_rabbitmq_queue_exists", 0, {{"queue", queue}}});
    if (closing.code == 404) note(Reason::status_mismatch, "has no queue " + queue);
    else
      note(closing.code == 403 ? Reason::auth_failed : Reason::status_mismatch,
           "refuses to tell of the queue " + queue + ": " + written_out(closing));
    say(amqp::method_frame(kChannel, Method::channel_close_ok, ""));
    if (asked_ == settings_.queues.size()) return leave();
    ask(Method::channel_open_ok, kChannel, Method::channel_open, amqp::short_text(""));
  }

  void refused(const amqp::Closing& closing) {
    const std::string why = written_out(closing);
    // 403 is the login; 530 is the virtual host, which is missing, or closed to this user, or full.
    const bool to_user = closing.code == 530 && closing.text.find("refused for user") != std::string::npos &&
                         closing.text.find("limit") == std::string::npos;
    const bool auth = closing.code == 403 || to_user;
    const std::string what = closing.code == 403   ? "refused the login: "
                             : closing.code == 530 ? "refused the virtual host " + settings_.vhost + ": "
                                                   : "closed the connection: ";
    say_last(amqp::method_frame(0, Method::connection_close_ok, ""),
             Outcome::failure(auth ? Reason::auth_failed : Reason::status_mismatch, target_ + " " + what + why));
  }

  // Older brokers say nothing about a refused login and hang up, seconds later.
  bool closed_by_peer() override {
    if (verdict_) {
      finish(std::move(*verdict_));
      return true;
    }
    if (expected_ != Method::connection_tune) return false;
    fail(Reason::auth_failed, "closed the connection instead of letting " + settings_.username + " in");
    return true;
  }

  void leave() {
    const std::size_t queues = settings_.queues.size();
    verdict_ = failure_ ? std::move(*failure_)
                        : Outcome::success(target_ + " is " + product_ + ", virtual host " + settings_.vhost +
                                           (queues == 0 ? ""
                                                        : ", " + std::to_string(queues) +
                                                              (queues == 1 ? " queue there" : " queues there")));
    say(close());
  }

  static std::string close() {
    return amqp::method_frame(0, Method::connection_close,
                              big_endian(200, 2) + amqp::short_text("Goodbye") + big_endian(0, 2) + big_endian(0, 2));
  }

  void ask(Method expected, std::uint16_t channel, Method method, const std::string& arguments) {
    expected_ = expected;
    say(amqp::method_frame(channel, method, arguments));
  }

  static std::string number_of(Method method) {
    const auto number = static_cast<std::uint32_t>(method);
    return "method " + std::to_string(number >> 16) + "." + std::to_string(number & 0xffff);
  }
  static std::string written_out(const amqp::Closing& closing) {
    return std::to_string(closing.code) + " " + base::shortened(closing.text, 200);
  }

  void measure(Outcome& outcome) override {
    if (info_) outcome.measurements.push_back({"probe_rabbitmq_server_info", 1, std::move(*info_)});
    for (auto& measurement : learnt_) outcome.measurements.push_back(std::move(measurement));
  }

  // The first failure is the cause.
  void note(Reason reason, const std::string& what) {
    if (!failure_) failure_ = Outcome::failure(reason, target_ + " " + what);
  }
  // What cannot go on. Once the virtual host is open, a close is owed.
  void fail(Reason reason, const std::string& what) {
    Outcome outcome = Outcome::failure(reason, target_ + " " + what);
    if (!opened_) return finish(std::move(outcome));
    say_last(close(), std::move(outcome));
  }

  const RabbitmqSettings& settings_;
  const std::string& target_;
  std::string password_;
  Method expected_ = Method::connection_start;
  bool opened_ = false;
  std::size_t asked_ = 0;  // queues, the one that is being answered included
  std::string product_;
  std::optional<model::Labels> info_;
  Measurements learnt_;
  std::optional<Outcome> failure_;
  std::optional<Outcome> verdict_;  // once close was said
};

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner&,
                                      config::Errors& errors) {
  Prepared prepared = endpoint_target(schema().parse(node, path, errors), TlsBegins::at_once, node, path, errors);
  return std::make_unique<PreparedSettings<RabbitmqProbe, Prepared>>(std::move(prepared));
}

}  // namespace

const Type rabbitmq_type{
    .name = "rabbitmq",
    .summary = "Logs in to RabbitMQ over AMQP 0-9-1, opens a virtual host, counts messages and consumers of queues.",
    .example = R"(name: rabbitmq
type: rabbitmq
host: 127.0.0.1
port: 5672
interval: 5s
timeout: 1s
username: probe
password_file: /etc/fettle/rabbitmq.password
vhost: shop
queues: [orders]
max_messages: 10000
min_consumers: 1
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {"probe_rabbitmq_server_info", "probe_ip_protocol", "probe_ip_addr_hash",
                     "probe_dns_lookup_time_seconds"},
    .keys_of_target = [](std::string_view target) -> std::vector<std::pair<std::string, std::string>> {
      auto keys = host_and_port(target);
      if (keys.back().second.empty()) keys.pop_back();
      return keys;
    },
    .other_measurements = with_chain(
        {"probe_rabbitmq_queue_exists", "probe_rabbitmq_queue_messages_ready", "probe_rabbitmq_queue_consumers"}),
};

}  // namespace probe
