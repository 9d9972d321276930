// kafka: requests byte by byte, and what is made of the answers of brokers old and new.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "fakes/certificates.h"
#include "fakes/probe_trial.h"
#include "fakes/real_server.h"
#include "net/tls/tls.h"

namespace {

using namespace std::string_literals;
using model::Reason;

std::string number(int value, int size) {
  std::string out;
  for (int shift = 8 * (size - 1); shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
  return out;
}
std::string text(const std::string& value) { return number(static_cast<int>(value.size()), 2) + value; }
std::string answer(int correlation, const std::string& body) {
  return number(static_cast<int>(body.size()) + 4, 4) + number(correlation, 4) + body;
}
std::string range(int api, int oldest, int newest) { return number(api, 2) + number(oldest, 2) + number(newest, 2); }

// Version 3, with a tagged field that nobody here knows: SupportedFeatures of a broker of 2.7.
const std::string kVersions3 =
    answer(1, number(0, 2) + "\3" + range(3, 0, 12) + '\0' + range(18, 0, 3) + '\0' + number(0, 4) + "\1\0\4\1\2\3\4"s);

struct Partition {
  int leader;
  int replicas;
  int in_sync;
};
std::string partitions(const std::vector<Partition>& all) {
  std::string out = number(static_cast<int>(all.size()), 4);
  for (std::size_t i = 0; i < all.size(); ++i) {
    out += number(0, 2) + number(static_cast<int>(i), 4) + number(all[i].leader, 4) + number(all[i].replicas, 4);
    for (int replica = 0; replica < all[i].replicas; ++replica) out += number(replica, 4);
    out += number(all[i].in_sync, 4);
    for (int replica = 0; replica < all[i].in_sync; ++replica) out += number(replica, 4);
  }
  return out;
}
std::string topic(int error, const std::string& name, const std::vector<Partition>& all) {
  return number(error, 2) + text(name) + '\0' + partitions(all);
}
// Of two brokers, one of which has a rack.
std::string metadata(int controller, const std::vector<std::string>& topics, int correlation = 2) {
  std::string out = number(0, 4) + number(2, 4) + number(1, 4) + text("a.test") + number(9092, 4) + number(-1, 2) +
                    number(2, 4) + text("b.test") + number(9092, 4) + text("rack") + text("shop") +
                    number(controller, 4) + number(static_cast<int>(topics.size()), 4);
  for (const std::string& one : topics) out += one;
  return answer(correlation, out);
}

const std::string kAsk3 = "\0\0\0\x1b\0\x12\0\3\0\0\0\1\0\6fettle\0\7fettle\2"s + "1\0"s;

}  // namespace

TEST_CASE("kafka asks for the newest ApiVersions, however the answer is cut") {
  fakes::ConnectedTrial trial("kafka", "broker:9092");
  trial.connect();
  REQUIRE(trial.peer.written.size() == 1);
  CHECK(trial.peer.written[0] == kAsk3);
  for (const char c : kVersions3) {
    CHECK(trial.answers == 0);
    trial.peer.say(std::string(1, c));
  }
  REQUIRE(trial.answers == 1);
  CHECK(trial.found.text == "broker:9092 is a broker");
  CHECK(trial.found.up);
  CHECK(trial.measured("probe_kafka_apis") == 2);
}

TEST_CASE("kafka asks older brokers in the newest version that they know") {
  struct Row {
    const char* name;
    std::string refusal;  // of version 3, in the format of version 0
    std::string second;   // request
    std::string answer;
    std::size_t apis;
  };
  const std::string head = "\0\6fettle"s;
  for (const Row& row : {
           Row{"Kafka 0.10: says no more than no", number(35, 2) + number(0, 4),
               number(16, 4) + "\0\x12\0\0\0\0\0\2"s + head, number(0, 2) + number(1, 4) + range(18, 0, 0), 1},
           Row{"Kafka 2.3: says what it knows", number(35, 2) + number(1, 4) + range(18, 0, 2),
               number(16, 4) + "\0\x12\0\2\0\0\0\2"s + head,
               number(0, 2) + number(2, 4) + range(3, 0, 8) + range(18, 0, 2) + number(0, 4), 2},
       }) {
    CAPTURE(row.name);
    fakes::ConnectedTrial trial("kafka", "broker:9092");
    trial.connect();
    trial.peer.say(answer(1, row.refusal));
    REQUIRE(trial.peer.written.size() == 2);
    CHECK(trial.peer.written[1] == row.second);
    trial.peer.say(answer(2, row.answer));
    REQUIRE(trial.answers == 1);
    CHECK(trial.found.text == "broker:9092 is a broker");
    CHECK(trial.measured("probe_kafka_apis") == static_cast<double>(row.apis));
  }
}

TEST_CASE("kafka judges the cluster, and asks without creating a topic") {
  struct Row {
    const char* name;
    std::vector<std::string> settings;
    std::string answer;
    Reason reason;
    const char* text;
  };
  const std::vector<std::string> orders{"topics=[orders]"};
  for (const Row& row : {
           Row{"all well", orders, metadata(1, {topic(0, "orders", {{1, 2, 2}, {2, 2, 2}})}), Reason::none,
               " is one of 2 brokers; all topics have leaders"},
           Row{"no topics asked", {"metadata=true"}, metadata(1, {}), Reason::none, " is one of 2 brokers"},
           Row{"replicas out of sync are a measurement", orders, metadata(1, {topic(0, "orders", {{1, 2, 1}})}),
               Reason::none, " is one of 2 brokers; all topics have leaders"},
           Row{"no controller",
               {"metadata=true"},
               metadata(-1, {}),
               Reason::status_mismatch,
               " knows no controller of its cluster"},
           Row{"too few brokers",
               {"min_brokers=3"},
               metadata(1, {}),
               Reason::status_mismatch,
               " knows 2 brokers; min_brokers is 3"},
           Row{"no topic", orders, metadata(1, {topic(3, "orders", {})}), Reason::status_mismatch,
               " has no topic orders"},
           Row{"a hidden topic", orders, metadata(1, {topic(29, "orders", {})}), Reason::auth_failed,
               " does not let us see topic orders"},
           Row{"an impossible topic", orders, metadata(1, {topic(17, "orders", {})}), Reason::status_mismatch,
               " answers for topic orders with INVALID_TOPIC_EXCEPTION"},
           Row{"a partition without leader", orders, metadata(1, {topic(0, "orders", {{1, 2, 2}, {-1, 2, 0}})}),
               Reason::status_mismatch, " has no leader for 1 of 2 partitions of topic orders"},
           Row{"an answer about another topic", orders, metadata(1, {topic(0, "events", {})}), Reason::protocol_error,
               " says nothing of topic orders"},
           Row{"an answer to another question", orders, metadata(1, {}, 7), Reason::protocol_error,
               " answered request 7 instead of 2"},
           Row{"cut short", orders, answer(2, number(0, 4) + number(2, 4)), Reason::protocol_error,
               " answered Metadata with what is no answer to it"},
           Row{"more brokers than bytes", orders, answer(2, number(0, 4) + number(0x7fffffff, 4)),
               Reason::protocol_error, " answered Metadata with what is no answer to it"},
       }) {
    CAPTURE(row.name);
    fakes::ConnectedTrial trial("kafka", "broker:9092", row.settings);
    trial.connect();
    trial.peer.say(kVersions3);
    REQUIRE(trial.peer.written.size() == 2);
    if (row.settings == orders)
      CHECK(trial.peer.written[1] ==
            number(29, 4) + "\0\3\0\4\0\0\0\2\0\6fettle"s + number(1, 4) + text("orders") + '\0');
    trial.peer.say(row.answer);
    REQUIRE(trial.answers == 1);
    CHECK(trial.found.reason == row.reason);
    CHECK(trial.found.text == "broker:9092" + std::string(row.text));
  }
}

TEST_CASE("kafka measures the topics it was asked about") {
  fakes::ConnectedTrial trial("kafka", "broker:9092", {"topics=[orders, gone]"});
  trial.connect();
  trial.peer.say(kVersions3);
  trial.peer.say(metadata(1, {topic(5, "orders", {{1, 3, 3}, {-1, 3, 2}, {2, 3, 1}}), topic(3, "gone", {})}));
  CHECK(trial.found.text == "broker:9092 has no leader for 1 of 3 partitions of topic orders");
  CHECK(trial.measured("probe_kafka_brokers") == 2);
  CHECK(trial.measured("probe_kafka_controller_known") == 1);
  CHECK(trial.measured("probe_kafka_cluster_info", "cluster_id", "shop") == 1);
  CHECK(trial.measured("probe_kafka_topic_exists", "topic", "orders") == 1);
  CHECK(trial.measured("probe_kafka_topic_exists", "topic", "gone") == 0);
  CHECK(trial.measured("probe_kafka_topic_partitions", "topic", "orders") == 3);
  CHECK(trial.measured("probe_kafka_topic_partitions_without_leader", "topic", "orders") == 1);
  CHECK(trial.measured("probe_kafka_topic_partitions_under_replicated", "topic", "orders") == 2);
}

TEST_CASE("kafka knows what is no broker") {
  struct Row {
    const char* name;
    std::vector<std::string> settings;
    std::vector<std::string> said;
    bool closes;
    Reason reason;
    const char* text;
  };
  for (const Row& row : {
           Row{"another protocol",
               {},
               {"HTTP/1.1 400 Bad Request\r\n"},
               false,
               Reason::protocol_error,
               " does not speak Kafka's protocol: 'HTTP/1.1 400 Bad Request..'"},
           Row{"an endless answer",
               {},
               {number(1'000'000, 4)},
               false,
               Reason::too_large,
               " announces an answer of 1000000 bytes"},
           Row{"an answer of no size",
               {},
               {number(3, 4)},
               false,
               Reason::protocol_error,
               " does not speak Kafka's protocol: '....'"},
           Row{"tags that never end",
               {},
               {answer(1, number(0, 2) + "\1" + number(0, 4) + "\xff\xff\xff\xff\x0f")},
               false,
               Reason::protocol_error,
               " answered ApiVersions with what is no answer to it"},
           Row{"something behind the answer",
               {},
               {answer(1, number(0, 2) + "\1" + number(0, 4) + "\0\0"s)},
               false,
               Reason::protocol_error,
               " answered ApiVersions with what is no answer to it"},
           Row{"a broker in trouble",
               {},
               {answer(1, number(-1, 2) + "\1" + number(0, 4) + '\0')},
               false,
               Reason::status_mismatch,
               " answered ApiVersions with UNKNOWN_SERVER_ERROR"},
           Row{"a broker of 2016",
               {"metadata=true"},
               {answer(1, number(35, 2) + number(0, 4)), answer(2, number(0, 2) + number(1, 4) + range(3, 0, 2))},
               false,
               Reason::status_mismatch,
               " does not know Metadata 4 (Kafka 0.11 and later do), which creates no topic by asking"},
           Row{"a listener with SASL",
               {"metadata=true"},
               {kVersions3},
               true,
               Reason::auth_failed,
               " closed the connection instead of answering Metadata; does this listener want a login?"},
       }) {
    CAPTURE(row.name);
    fakes::ConnectedTrial trial("kafka", "broker:9092", row.settings);
    trial.connect();
    for (const std::string& said : row.said) trial.peer.say(said);
    if (row.closes) trial.peer.close();
    REQUIRE(trial.answers == 1);
    CHECK(trial.found.reason == row.reason);
    CHECK(trial.found.text == "broker:9092" + std::string(row.text));
  }
  fakes::ConnectedTrial early("kafka", "broker:9092");
  early.connect();
  early.peer.close();
  CHECK(early.found.reason == Reason::closed_early);
}

TEST_CASE("kafka speaks TLS on a real connection") {
  const fakes::TemporaryFolder folder;
  const auto certificate = fakes::make_certificate(
      {.common_name = "broker", .alternative = "IP:127.0.0.1", .until_seconds = 30 * 86'400, .authority = true});
  certificate.write(folder.path() + "/ca.pem");
  const fakes::TlsServer tls(certificate);
  const fakes::TcpPeer broker([&](fakes::PeerSocket& socket) {
    const auto ssl = tls.accept(socket);
    if (!ssl) return;
    if (fakes::TlsServer::read_until(ssl.get(), kAsk3.substr(20)) == kAsk3)
      fakes::TlsServer::send(ssl.get(), kVersions3);
    socket.wait_for_close();
  });
  fakes::RealProbes probes;
  const auto up =
      probes.run("kafka", broker.address(), {"tls=true", "tls_config.ca_file=" + folder.path() + "/ca.pem"});
  CHECK(up.text == broker.address() + " is a broker");
  CHECK(fakes::measurement(up, "probe_ssl_earliest_cert_expiry") > 0);
  CHECK(probes.run("kafka", broker.address(), {"tls=true"}).reason == Reason::tls_verify);
}
