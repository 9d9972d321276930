// One question to one name server, over UDP or TCP, and what its answer must be like. Words and metrics of the blackbox
// exporter's dns prober.
#include <algorithm>
#include <utility>

#include "base/random.h"
#include "base/text.h"
#include "config/request.h"
#include "net/stream.h"
#include "net/tls/tls.h"
#include "net/tls/tls_config.h"
#include "probe/common/probe_schema.h"
#include "probe/common/stream_probe.h"
#include "probe/common/values.h"
#include "probe/net/dns_message.h"
#include "probe/registry.h"

namespace probe {
namespace {

using model::Outcome;
using model::Reason;

struct AnswerRules {
  std::vector<Pattern> fail_if_matches_regexp;
  std::vector<Pattern> fail_if_all_match_regexp;
  std::vector<Pattern> fail_if_not_matches_regexp;
  std::vector<Pattern> fail_if_none_matches_regexp;
};

struct DnsSettings {
  std::string server;
  int port = 0;
  std::string transport_protocol = "udp";
  bool dns_over_tls = false;
  net::TlsSettings tls_config;
  IpProtocol ip_protocol;
  SourceAddress source_ip_address;
  std::string query_name;
  std::string query_type = "A";
  std::string query_class = "IN";
  bool recursion_desired = true;
  std::vector<std::string> valid_rcodes{"NOERROR"};
  int min_answers = 1;
  AnswerRules validate_answer_rrs;
  AnswerRules validate_authority_rrs;
  AnswerRules validate_additional_rrs;
};

const config::Schema<AnswerRules>& rules_schema() {
  static const auto schema = config::Schema<AnswerRules>("validate_answer_rrs")
                                 .optional("fail_if_matches_regexp", &AnswerRules::fail_if_matches_regexp,
                                           "Regular expressions (RE2) of which none may be found in any record.")
                                 .optional("fail_if_all_match_regexp", &AnswerRules::fail_if_all_match_regexp,
                                           "Regular expressions that must not all be found in all records.")
                                 .optional("fail_if_not_matches_regexp", &AnswerRules::fail_if_not_matches_regexp,
                                           "Regular expressions that must all be found in each record.")
                                 .optional("fail_if_none_matches_regexp", &AnswerRules::fail_if_none_matches_regexp,
                                           "Regular expressions of which one must be found in some record.");
  return schema;
}

const config::Schema<DnsSettings>& schema() {
  static const auto schema =
      probe_schema<DnsSettings>("dns")
          .required("server", &DnsSettings::server, "Name server to ask, its name or address.")
          .reach(config::Reach::listed, config::ValueFormat::host)
          .optional("port", &DnsSettings::port, "Port of the name server. 0: 53, or 853 over TLS.")
          .optional("transport_protocol", &DnsSettings::transport_protocol, "udp or tcp.")
          .reach(config::Reach::listed)
          .optional("dns_over_tls", &DnsSettings::dns_over_tls, "Ask over TLS (RFC 7858); needs tcp.")
          .optional("tls_config", &DnsSettings::tls_config, net::tls_schema(), "How to speak TLS.")
          .optional("ip_protocol", &DnsSettings::ip_protocol, "Addresses of the server to use: any, ip4 or ip6.")
          .reach(config::Reach::listed)
          .optional("source_ip_address", &DnsSettings::source_ip_address,
                    "Address of this host to ask from. Empty: the kernel chooses.")
          .required("query_name", &DnsSettings::query_name, "Name to ask for.")
          .reach(config::Reach::listed)
          .optional(
              "query_type", &DnsSettings::query_type,
              "What to ask for: A, AAAA, CNAME, TXT, MX, SRV, CAA, HTTPS and so on, ANY, or TYPE65 by its number.")
          .reach(config::Reach::listed)
          .optional("query_class", &DnsSettings::query_class, "IN, CH, HS, NONE or ANY; version.bind is of CH.")
          .reach(config::Reach::listed)
          .optional("recursion_desired", &DnsSettings::recursion_desired, "Ask the server to find out elsewhere.")
          .optional("valid_rcodes", &DnsSettings::valid_rcodes, "Codes of the answer that are fine, such as NXDOMAIN.")
          .reach(config::Reach::listed)
          .optional("min_answers", &DnsSettings::min_answers, "Records that an answer of NOERROR must have at least.")
          .optional("validate_answer_rrs", &DnsSettings::validate_answer_rrs, rules_schema(),
                    "What the answer's records must be like; each is a line: name, TTL, class, type, value, with tabs.")
          .optional("validate_authority_rrs", &DnsSettings::validate_authority_rrs, rules_schema(),
                    "The same for the records of the authority section.")
          .optional("validate_additional_rrs", &DnsSettings::validate_additional_rrs, rules_schema(),
                    "The same for the records of the additional section.")
          .check([](const DnsSettings& dns, const config::Complain& complain) {
            if (const std::string why = config::host_complaint(dns.server); !why.empty()) complain("server", why);
            if (dns.port < 0 || dns.port > 65535) complain("port", "must be between 1 and 65535, or 0");
            if (dns.transport_protocol != "udp" && dns.transport_protocol != "tcp")
              complain("transport_protocol", "must be udp or tcp");
            if (dns.dns_over_tls && dns.transport_protocol != "tcp")
              complain("dns_over_tls", "needs transport_protocol: tcp");
            if (!dns_class_number(dns.query_class)) complain("query_class", "must be IN, CH, HS, NONE or ANY");
            if (!dns_type_number(dns.query_type))
              complain("query_type",
                       "must be a type of records such as A, AAAA, TXT, MX or CAA, or TYPE and its number");
            if (const auto query = dns_query(0, {dns.query_name}); !query) complain("query_name", query.error().text);
            for (const std::string& rcode : dns.valid_rcodes)
              if (!dns_rcode(rcode)) complain("valid_rcodes", "has '" + rcode + "', which is no code such as NXDOMAIN");
            if (dns.min_answers < 0) complain("min_answers", "must not be negative");
          });
  return schema;
}

bool found_in(const Pattern& pattern, const DnsRecord& record) { return pattern.regex->found_in(record.text()); }

std::string shown(const DnsRecord& record) {
  std::string text = record.text();
  std::replace(text.begin(), text.end(), '\t', ' ');
  return "'" + base::shortened(text, 200) + "'";
}

// Why the records are not what they must be; "" if they are.
std::string judge_records(const AnswerRules& rules, const std::vector<DnsRecord>& records) {
  for (const DnsRecord& record : records) {
    for (const Pattern& pattern : rules.fail_if_matches_regexp)
      if (found_in(pattern, record)) return shown(record) + " matches '" + pattern.regex->pattern() + "'";
    for (const Pattern& pattern : rules.fail_if_not_matches_regexp)
      if (!found_in(pattern, record)) return shown(record) + " does not match '" + pattern.regex->pattern() + "'";
  }
  const auto& none = rules.fail_if_none_matches_regexp;
  const bool some = std::any_of(records.begin(), records.end(), [&](const DnsRecord& record) {
    return std::any_of(none.begin(), none.end(), [&](const Pattern& pattern) { return found_in(pattern, record); });
  });
  if (!none.empty() && !some)
    return "none of " + std::to_string(records.size()) + " records matches '" + none[0].regex->pattern() + "'";
  const auto& all = rules.fail_if_all_match_regexp;
  const bool every = std::all_of(records.begin(), records.end(), [&](const DnsRecord& record) {
    return std::all_of(all.begin(), all.end(), [&](const Pattern& pattern) { return found_in(pattern, record); });
  });
  if (!all.empty() && !records.empty() && every) return "all records match '" + all[0].regex->pattern() + "'";
  if (records.empty() && !rules.fail_if_not_matches_regexp.empty()) return "there is no record to match";
  return "";
}

struct Prepared {
  DnsSettings settings;
  DnsQuestion question;
  net::Dial dial;
  net::Dial tcp;  // for an answer that does not fit into a datagram
  std::string target;
};

class DnsProbe final : public StreamProbe {
 public:
  DnsProbe(const Context& context, const Prepared& prepared)
      : StreamProbe(context, prepared.dial), prepared_(prepared) {}

 private:
  void connected() override {
    // Hard to guess: an answer from elsewhere must not be taken for the server's.
    static base::Random random = base::Random::from_entropy();
    id_ = static_cast<std::uint16_t>(random.below(0x10000));
    auto query = dns_query(id_, prepared_.question);
    if (!query) return finish(Outcome::failure(Reason::dns_error, query.error().text));
    if (!over_udp_) query->insert(0, {static_cast<char>(query->size() >> 8), static_cast<char>(query->size() & 0xff)});
    say(std::move(*query));
  }

  void received(std::string& bytes) override {
    std::string message;
    if (over_udp_) {
      message = std::exchange(bytes, std::string());
    } else {
      if (bytes.size() < 2) return;
      const std::size_t size = static_cast<unsigned char>(bytes[0]) << 8U | static_cast<unsigned char>(bytes[1]);
      if (bytes.size() < 2 + size) return;
      message = bytes.substr(2, size);
    }
    auto read = read_dns_message(message);
    const bool ours = read && read->is_response && read->id == id_ && is_our_question(*read);
    // A late answer to an earlier question, or somebody who guesses: the right one may still come.
    if (!ours && over_udp_ && (read || message.size() < 2 || !is_our_id(message))) return;
    if (!read) return finish(Outcome::failure(Reason::protocol_error, "what the server sent " + read.error().text));
    if (!ours) return finish(Outcome::failure(Reason::protocol_error, "the server answered another question"));
    message_ = std::move(*read);
    if (message_->truncated && over_udp_) {
      // As a resolver does; where that is not to be had, what came is the answer.
      over_udp_ = false;
      awaits_rest_ = true;
      return go_on_over(prepared_.tcp, 0.5);
    }
    awaits_rest_ = false;
    finish(judge());
  }

  bool is_our_id(std::string_view message) const {
    return static_cast<unsigned char>(message[0]) == id_ >> 8 && static_cast<unsigned char>(message[1]) == (id_ & 0xff);
  }

  // Some servers leave the question out of an error.
  bool is_our_question(const DnsMessage& message) const {
    if (message.question.empty()) return message.rcode != 0;
    const auto same = [](char a, char b) {
      return a == b || ((a ^ b) == 0x20 && ((a | 0x20) >= 'a' && (a | 0x20) <= 'z'));
    };
    std::string name = prepared_.question.name;
    if (!name.ends_with('.')) name += '.';
    return message.question_type == prepared_.question.type &&
           std::equal(name.begin(), name.end(), message.question.begin(), message.question.end(), same);
  }

  Outcome judge() const {
    const DnsSettings& dns = prepared_.settings;
    const std::string rcode = dns_rcode_name(message_->rcode);
    const std::string question = dns.query_type + " of " + dns.query_name;
    if (std::find(dns.valid_rcodes.begin(), dns.valid_rcodes.end(), rcode) == dns.valid_rcodes.end())
      return Outcome::failure(Reason::status_mismatch, question + ": the server answered " + rcode);
    const auto count = static_cast<int>(message_->answer.size());
    if (message_->rcode == 0 && count < dns.min_answers)
      return Outcome::failure(Reason::body_mismatch, question + ": the answer has " + std::to_string(count) + " of " +
                                                         std::to_string(dns.min_answers) + " records");
    for (const auto& [rules, records, section] :
         {std::tuple{&dns.validate_answer_rrs, &message_->answer, ""},
          {&dns.validate_authority_rrs, &message_->authority, "authority: "},
          {&dns.validate_additional_rrs, &message_->additional, "additional: "}})
      if (const std::string why = judge_records(*rules, *records); !why.empty())
        return Outcome::failure(Reason::body_mismatch, question + ": " + section + why);
    const std::string first = message_->answer.empty() ? "" : ", " + shown(message_->answer.front());
    return Outcome::success(rcode + ", " + std::to_string(count) + (count == 1 ? " record" : " records") + first);
  }

  void measure(Outcome& outcome) override {
    if (std::exchange(awaits_rest_, false)) {
      Outcome cut = judge();
      cut.text += "; all that fits into a datagram, and TCP: " + outcome.text;
      cut.phases = std::move(outcome.phases);
      outcome = std::move(cut);
    }
    const auto tell = [&](const char* name, double value) { outcome.measurements.push_back({name, value, {}}); };
    for (const char* phase : {"resolve", "connect", "request"}) {
      base::Duration took{};
      for (const model::Phase& each : outcome.phases)
        if (each.name == phase || (each.name == "processing" && std::string_view(phase) == "request"))
          took += each.took;
      outcome.measurements.push_back({"probe_dns_duration_seconds", model::duration_value(took), {{"phase", phase}}});
    }
    tell("probe_dns_query_succeeded", message_ ? 1 : 0);
    tell("probe_dns_answer_rrs", message_ ? static_cast<double>(message_->answer.size()) : 0);
    tell("probe_dns_authority_rrs", message_ ? static_cast<double>(message_->authority.size()) : 0);
    tell("probe_dns_additional_rrs", message_ ? static_cast<double>(message_->additional.size()) : 0);
    if (!message_ || prepared_.settings.query_type != "SOA") return;
    for (const DnsRecord& record : message_->answer)
      if (record.type == prepared_.question.type) return tell("probe_dns_serial", record.serial);
  }

  const Prepared& prepared_;
  std::uint16_t id_ = 0;
  bool over_udp_ = prepared_.dial.udp;
  bool awaits_rest_ = false;  // message_ is what fitted into a datagram
  std::optional<DnsMessage> message_;
};

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner&,
                                      config::Errors& errors) {
  Prepared prepared;
  DnsSettings& dns = prepared.settings;
  dns = schema().parse(node, path, errors);
  if (dns.port == 0) dns.port = dns.dns_over_tls ? 853 : 53;
  prepared.question = {dns.query_name, dns_type_number(dns.query_type).value_or(1), dns.recursion_desired,
                       dns_class_number(dns.query_class).value_or(1)};
  prepared.dial.host = dns.server;
  prepared.dial.port = static_cast<std::uint16_t>(dns.port);
  prepared.dial.family = dns.source_ip_address.family(dns.ip_protocol.family);
  prepared.dial.source = dns.source_ip_address.literal;
  if (dns.dns_over_tls) prepared.dial.tls = net::tls_context(dns.tls_config, node, path, errors);
  prepared.dial.udp = dns.transport_protocol == "udp";
  prepared.tcp = prepared.dial;
  prepared.tcp.udp = false;
  prepared.target = dns.query_type + " of " + dns.query_name + " at " + written(dns.server, dns.port);
  return std::make_unique<PreparedSettings<DnsProbe, Prepared>>(std::move(prepared));
}

}  // namespace

const Type dns_type{
    .name = "dns",
    .summary = "Asks a name server over UDP or TCP and checks code and records of its answer.",
    .example = R"(name: resolver
type: dns
server: 127.0.0.53
query_name: db.shop.example
query_type: A
interval: 5s
timeout: 1s
validate_answer_rrs:
  fail_if_not_matches_regexp: ["10\\.0\\."]
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {"probe_dns_duration_seconds", "probe_dns_query_succeeded", "probe_dns_answer_rrs",
                     "probe_dns_authority_rrs", "probe_dns_additional_rrs", "probe_ip_protocol", "probe_ip_addr_hash",
                     "probe_dns_lookup_time_seconds"},
    .keys_of_target = [](std::string_view target) -> std::vector<std::pair<std::string, std::string>> {
      auto keys = host_and_port(target);
      keys.front().first = "server";
      if (keys.back().second.empty()) keys.pop_back();
      return keys;
    },
    .other_measurements = with_chain({"probe_dns_serial"}),
};

}  // namespace probe
