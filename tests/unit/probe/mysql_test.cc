// mysql: logins of every kind with a scripted server, that no handshake is ever broken off.
#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "crypto/digest.h"
#include "crypto/hmac.h"
#include "encoding/mysql_packet.h"
#include "fakes/probe_trial.h"

namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using encoding::mysql::little_endian;
using encoding::mysql::packet;
using model::Reason;

const std::string kSalt = "abcdefgh12345678ijkl";

std::string greeting(const std::string& plugin, std::uint32_t capabilities = 0x81ff'f7ff) {
  return packet(0, "\x0a"s + "8.0.36\0"s + little_endian(7, 4) + kSalt.substr(0, 8) + '\0' +
                       little_endian(capabilities & 0xffff, 2) + "\x2d" + little_endian(2, 2) +
                       little_endian(capabilities >> 16, 2) + '\x15' + std::string(10, '\0') + kSalt.substr(8) + '\0' +
                       plugin + '\0');
}
std::string ok(std::uint8_t sequence) { return packet(sequence, "\0\0\0\2\0\0\0"s); }
std::string error(std::uint8_t sequence, int code, const std::string& text) {
  return packet(sequence, "\xff" + little_endian(static_cast<std::uint64_t>(code), 2) + "#HY000" + text);
}
std::string text(const std::string& value) { return static_cast<char>(value.size()) + value; }
// The answer to a query. "NULL" is NULL.
std::string table(const std::vector<std::string>& columns, const std::vector<std::vector<std::string>>& rows) {
  std::uint8_t n = 1;
  std::string out = packet(n++, std::string(1, static_cast<char>(columns.size())));
  for (const std::string& column : columns)
    out += packet(n++, text("def") + text("") + text("") + text("") + text(column) + text(column) + std::string(13, 0));
  out += packet(n++, "\xfe\0\0\2\0"s);
  for (const auto& row : rows) {
    std::string cells;
    for (const std::string& cell : row) cells += cell == "NULL" ? "\xfb" : text(cell);
    out += packet(n++, cells);
  }
  return out + packet(n, "\xfe\0\0\2\0"s);
}
std::string query(const std::string& sql) { return packet(0, "\x03" + sql); }
const std::string kQuit = packet(0, "\x01");
const std::string kWritable = table({"@@global.read_only"}, {{"0"}});

std::string xored(std::string a, const std::string& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<char>(a[i] ^ b[i % b.size()]);
  return a;
}
std::string native(const std::string& password) {
  const std::string once = crypto::sha1(password);
  return xored(once, crypto::sha1(kSalt + crypto::sha1(once)));
}
std::string cached(const std::string& password) {
  const std::string once = crypto::sha256(password);
  return xored(once, crypto::sha256(crypto::sha256(once) + kSalt));
}

struct Login : fakes::ConnectedTrial {
  explicit Login(std::vector<std::string> settings, const std::string& target = "db:3306")
      : ConnectedTrial("mysql", target, add(std::move(settings))) {
    connect();
  }
  static std::vector<std::string> add(std::vector<std::string> settings) {
    settings.push_back("username=fettle");
    return settings;
  }
  void say(const std::string& bytes) { peer.say(bytes); }
  const std::string& heard() const { return peer.written.back(); }
};

}  // namespace

TEST_CASE("digests are those of the standards") {
  CHECK(crypto::sha1("abc").substr(0, 4) == "\xa9\x99\x3e\x36");
  CHECK(crypto::sha256("abc").substr(0, 4) == "\xba\x78\x16\xbf");
}

TEST_CASE("mysql logs in, asks, and takes its leave, however the bytes are cut") {
  Login trial({"password=secret", "database=shop"});
  for (const char c : greeting("mysql_native_password")) {
    CHECK(trial.peer.written.empty());
    trial.say(std::string(1, c));
  }
  REQUIRE(trial.peer.written.size() == 1);
  CHECK(trial.heard() ==
        packet(1, little_endian(0x8a20d, 4) + little_endian(1 << 24, 4) + "\x2d" + std::string(23, '\0') +
                      "fettle\0\x14"s + native("secret") + "shop\0mysql_native_password\0"s));
  trial.say(ok(2));
  CHECK(trial.heard() == query("SELECT @@global.read_only"));
  for (const char c : kWritable) {
    CHECK(trial.answers == 0);
    trial.say(std::string(1, c));
  }
  CHECK(trial.heard() == kQuit);
  CHECK(trial.found.text == "db:3306 is 8.0.36");
  CHECK(trial.found.up);
  CHECK(trial.measured("probe_mysql_read_only") == 0);
}

TEST_CASE("mysql hears nothing after it has taken its leave") {
  Login trial({"queries=[{name: waiting, sql: SELECT 1}]"});
  trial.say(greeting("mysql_native_password"));
  trial.say(ok(2));
  const std::string answer = table({"n"}, {{"4"}});
  trial.say(kWritable + answer + answer + error(1, 1064, "nobody asked") + "x");
  CHECK(trial.found.text == "db:3306 is 8.0.36");
  CHECK(trial.found.up);
  CHECK(trial.measured("probe_mysql_query_value") == 4);
}

TEST_CASE("mysql speaks caching_sha2_password: from the cache, over a safe way, and with the server's key") {
  Login known({"password=secret"});
  known.say(greeting("caching_sha2_password"));
  CHECK(known.heard().find(cached("secret")) != std::string::npos);
  known.say(packet(2, "\x01\x03"));
  known.say(ok(3) + kWritable);
  CHECK(known.found.up);

  Login over_socket({"password=secret"}, "/run/mysqld.sock");
  over_socket.say(greeting("caching_sha2_password") + packet(2, "\x01\x04"));
  CHECK(over_socket.heard() == packet(3, "secret\0"s));

  EVP_PKEY* key = EVP_RSA_gen(2048);
  BIO* pem = BIO_new(BIO_s_mem());
  PEM_write_bio_PUBKEY(pem, key);
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(pem, &bytes);
  Login sealed({"password=secret", "public_key_retrieval=true"});
  sealed.say(greeting("caching_sha2_password") + packet(2, "\x01\x04"));
  CHECK(sealed.heard() == packet(3, "\x02"));
  sealed.say(packet(4, "\x01" + std::string(bytes, static_cast<std::size_t>(size))));
  const std::string box = sealed.heard().substr(4);
  std::string opened(256, '\0');
  std::size_t length = opened.size();
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new(key, nullptr);
  EVP_PKEY_decrypt_init(context);
  EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING);
  REQUIRE(EVP_PKEY_decrypt(context, reinterpret_cast<unsigned char*>(opened.data()), &length,
                           reinterpret_cast<const unsigned char*>(box.data()), box.size()) == 1);
  opened.resize(length);
  CHECK(xored(opened, kSalt) == "secret\0"s);
  EVP_PKEY_CTX_free(context);
  BIO_free(pem);
  EVP_PKEY_free(key);
}

TEST_CASE("mysql says nothing but its wish for TLS in the clear, and what is slipped in before TLS ends it") {
  constexpr std::uint32_t kOffersTls = 0x81ff'ffff;
  const std::string wish =
      packet(1, little_endian(0x8aa05, 4) + little_endian(1 << 24, 4) + "\x2d" + std::string(23, 0));
  struct Row {
    const char* name;
    std::string asks;
    std::string answer;
  };
  // MySQL 8 wants the password itself the first time; PAM behind MariaDB does so each time.
  for (const Row& row :
       {Row{"caching_sha2_password, not in the cache", packet(3, "\x01\x04"), packet(4, "secret\0"s)},
        Row{"mysql_clear_password", packet(3, "\xfemysql_clear_password\0"s), packet(4, "secret\0"s)}}) {
    CAPTURE(row.name);
    Login trial({"password=secret", "tls=true"});
    trial.say(greeting("caching_sha2_password", kOffersTls));
    REQUIRE(trial.peer.written.size() == 2);
    CHECK(trial.peer.in_the_clear() == std::vector{wish});
    CHECK(trial.heard().substr(0, 4) == little_endian(trial.heard().size() - 4, 3) + '\2');
    CHECK(trial.heard().find(cached("secret")) != std::string::npos);
    trial.say(row.asks);
    CHECK(trial.heard() == row.answer);
    trial.say(ok(5) + kWritable);
    CHECK(trial.found.up);
  }
  Login open({"password=secret"});
  open.say(greeting("caching_sha2_password") + packet(2, "\xfemysql_clear_password\0"s));
  CHECK(open.heard() == packet(3, ""));
  Login injected({"password=secret", "tls=true"});
  injected.say(greeting("caching_sha2_password", kOffersTls) + ok(2) + kWritable);
  CHECK(injected.found.reason == Reason::protocol_error);
  CHECK(injected.peer.written == std::vector{wish});
}

TEST_CASE("mysql never breaks off a handshake, whatever it cannot log in with") {
  struct Row {
    const char* name;
    std::vector<std::string> settings;
    std::string says;
    const char* text;
  };
  for (const Row& row : {
           Row{"another method",
               {"password=x"},
               packet(2,
                      "\xfe"
                      "client_ed25519\0"s +
                          kSalt + '\0'),
               "wants a login that this probe does not speak (client_ed25519); give this user mysql_native_password or "
               "caching_sha2_password"},
           Row{"the password itself",
               {"password=x"},
               packet(2, "\x01\x04"),
               "wants the password itself, once; set tls, use unix_socket, or set public_key_retrieval"},
       }) {
    CAPTURE(row.name);
    for (const bool closes : {false, true}) {
      Login trial(row.settings);
      trial.say(greeting("caching_sha2_password") + row.says);
      CHECK(trial.answers == 0);
      CHECK(trial.heard() == packet(3, ""));  // an empty answer: the server refuses it, and the handshake is over
      if (closes) trial.peer.close();
      else trial.say(error(4, 1045, "Access denied"));
      CHECK(trial.found.reason == Reason::auth_failed);
      CHECK(trial.found.text == "db:3306 " + std::string(row.text));
    }
  }
  Login poor({"password_file=/nonexistent/password"});
  poor.say(greeting("mysql_native_password"));
  CHECK(poor.answers == 0);
  poor.say(error(2, 1045, "Access denied"));
  CHECK(poor.found.reason == Reason::agent_overloaded);
  CHECK(poor.found.text.starts_with("db:3306 wants a password; there is none: "));
}

TEST_CASE("mysql changes the method when the server asks for another") {
  Login trial({"password=secret"});
  trial.say(greeting("caching_sha2_password"));
  trial.say(packet(2,
                   "\xfe"
                   "mysql_native_password\0"s +
                       kSalt + '\0'));
  CHECK(trial.heard() == packet(3, native("secret")));
}

TEST_CASE("mysql judges what it hears") {
  struct Row {
    const char* name;
    std::vector<std::string> settings;
    std::string says;
    Reason reason;
    const char* text;
  };
  const std::string in = greeting("mysql_native_password") + ok(2);
  const std::vector<std::string> replica_columns{"Replica_IO_Running", "Replica_SQL_Running", "Seconds_Behind_Source",
                                                 "Last_IO_Error"};
  for (const Row& row : {
           Row{"locked out",
               {},
               packet(0, "\xff\x69\x04Host '10.0.0.1' is blocked"),
               Reason::auth_failed,
               "answered with error 1129: Host '10.0.0.1' is blocked; somebody on this node breaks off its handshakes"},
           Row{"full",
               {},
               packet(0, "\xff\x10\x04Too many connections"),
               Reason::queue_saturated,
               "answered with error 1040: Too many connections"},
           Row{"denied",
               {},
               greeting("mysql_native_password") + error(2, 1045, "Access denied for user"),
               Reason::auth_failed,
               "answered with error 1045: Access denied for user"},
           Row{"no such database",
               {},
               greeting("mysql_native_password") + error(2, 1049, "Unknown database"),
               Reason::status_mismatch,
               "answered with error 1049: Unknown database"},
           Row{"another protocol",
               {},
               "HTTP/1.1 400 Bad Request\r\n",
               Reason::protocol_error,
               "does not speak MySQL's protocol"},
           Row{"no TLS",
               {"tls=true"},
               greeting("mysql_native_password", 0x8a20d),
               Reason::tls_handshake,
               "does not offer TLS"},
           Row{"a primary", {"role=primary"}, in + kWritable + table({}, {}), Reason::none, "is 8.0.36"},
           Row{"a primary that takes no writes",
               {"role=primary"},
               in + table({"@@global.read_only"}, {{"1"}}) + table(replica_columns, {}),
               Reason::status_mismatch,
               "is read only, and takes no writes"},
           Row{"no replica",
               {"role=replica"},
               in + kWritable + table(replica_columns, {}),
               Reason::status_mismatch,
               "is not a replica of anybody"},
           Row{"a replica",
               {"role=replica", "max_lag=5s"},
               in + kWritable + table(replica_columns, {{"Yes", "Yes", "5", ""}}),
               Reason::none,
               "is 8.0.36"},
           Row{"a replica that is behind",
               {"role=replica", "max_lag=5s"},
               in + kWritable + table(replica_columns, {{"Yes", "Yes", "6", ""}}),
               Reason::too_slow,
               "is 6s behind its source; max_lag is 5s"},
           Row{"a replica that stands",
               {"role=replica"},
               in + kWritable + table(replica_columns, {{"Connecting", "Yes", "NULL", "cannot connect"}}),
               Reason::status_mismatch,
               "does not replicate: the IO thread is not running; cannot connect"},
           Row{"old words",
               {"role=replica"},
               in + kWritable + error(1, 1064, "syntax") +
                   table({"Slave_IO_Running", "Slave_SQL_Running", "Seconds_Behind_Master"}, {{"Yes", "Yes", "0"}}),
               Reason::none,
               "is 8.0.36"},
           Row{"no right to ask",
               {"role=replica"},
               in + kWritable + error(1, 1227, "denied"),
               Reason::auth_failed,
               "the question about replication was answered with error 1227: denied; the user needs REPLICATION CLIENT "
               "(MariaDB: REPLICA MONITOR)"},
           Row{"a query",
               {"queries=[{name: new, sql: 'SELECT 1', less_than: 3}]"},
               in + kWritable + table({"n"}, {{"2"}}),
               Reason::none,
               "is 8.0.36"},
           Row{"a query beyond its limit",
               {"queries=[{name: new, sql: 'SELECT 1', less_than: 3}]"},
               in + kWritable + table({"n"}, {{"3"}}),
               Reason::body_mismatch,
               "query new is 3, not less than 3"},
           Row{"a query of words",
               {"queries=[{name: new, sql: 'SELECT 1'}]"},
               in + kWritable + table({"n"}, {{"x"}}),
               Reason::body_mismatch,
               "query new gave 'x' in its last column, which is no number"},
           Row{"a query that fails",
               {"queries=[{name: new, sql: 'SELECT 1'}]"},
               in + kWritable + error(1, 1146, "no table"),
               Reason::status_mismatch,
               "query new was answered with error 1146: no table"},
           Row{"a query that writes",
               {"queries=[{name: new, sql: 'DELETE'}]"},
               in + kWritable + ok(1),
               Reason::body_mismatch,
               "query new gave no columns; it must be a statement that reads"},
       }) {
    CAPTURE(row.name);
    Login trial(row.settings);
    trial.say(row.says);
    REQUIRE(trial.answers == 1);
    CHECK(trial.found.reason == row.reason);
    CHECK(trial.found.text == "db:3306 " + std::string(row.text));
  }
  Login grouped({"queries=[{name: orders, sql: 'SELECT state, count(*)'}]"});
  grouped.say(in + kWritable + table({"state", "count(*)"}, {{"new", "4"}, {"paid", "7.5"}, {"lost", "NULL"}}));
  CHECK(grouped.measured("probe_mysql_query_value", "state", "new") == 4);
  CHECK(grouped.measured("probe_mysql_query_value", "state", "paid") == 7.5);
}
