// postgres: logins of every kind with a scripted server, and the real one where it is installed.
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "crypto/saslprep.h"
#include "crypto/scram.h"
#include "fakes/certificate_kinds.h"
#include "fakes/probe_trial.h"
#include "fakes/real_server.h"
#include "fakes/run_until.h"
#include "fakes/tcp_peer.h"

namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using model::Reason;

std::string u32(std::size_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16 & 0xff), static_cast<char>(value >> 8 & 0xff),
          static_cast<char>(value & 0xff)};
}
std::string message(char type, const std::string& body) { return type + u32(body.size() + 4) + body; }
std::string login(std::size_t method, const std::string& body = "") { return message('R', u32(method) + body); }
std::string error(const std::string& code, const std::string& text) {
  return message('E', "SFATAL\0VFATAL\0C"s + code + "\0M"s + text + "\0\0"s);
}
std::string row(const std::string& recovery, const std::string& lag) {
  return message('D', "\0\2"s + u32(recovery.size()) + recovery + u32(lag.size()) + lag);
}
std::string table(const std::string& column, const std::vector<std::string>& values) {
  std::string out = message('T', "\0\1"s + column + '\0' + std::string(18, 'x'));
  for (const std::string& value : values) out += message('D', "\0\1"s + u32(value.size()) + value);
  return out + message('C', "SELECT 1\0"s);
}
const std::string kReady = message('Z', "I");

}  // namespace

TEST_CASE("SCRAM-SHA-256 is that of RFC 7677") {
  crypto::ScramClient client("user", "pencil", "rOprNGfwEbeRWgbNEkqO");
  CHECK(client.first() == "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
  CHECK_FALSE(client.proves("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
  const std::string nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
  const auto final = client.final("r=" + nonce + ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
  REQUIRE(final);
  CHECK(*final == "c=biws,r=" + nonce + ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
  CHECK(client.proves("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
  CHECK_FALSE(client.proves("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5="));
  CHECK_FALSE(client.proves("e=other-error"));
  for (const char* bad : {"", "r=another,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "r=rOprNGfwEbeRWgbNEkqO,s=QQ==,i=1",
                          "r=rOprNGfwEbeRWgbNEkqOx,s=?,i=4096", "r=rOprNGfwEbeRWgbNEkqOx,s=QQ==,i=0",
                          "r=rOprNGfwEbeRWgbNEkqOx,s=QQ==,i=999999999", "r=rOprNGfwEbeRWgbNEkqOx,s=QQ==,i=4x"}) {
    CAPTURE(bad);
    CHECK_FALSE(client.final(bad));
  }
}

TEST_CASE("a password goes through SASLprep, and stays as it is where that forbids it") {
  struct Row {
    const char* what;
    std::string typed, prepared;
  };
  for (const Row& row : {
           Row{"ASCII", "open sesame", "open sesame"},
           Row{"case", "USER", "USER"},
           Row{"a soft hyphen is nothing", "I\u00adX", "IX"},
           Row{"a compatibility character", "\u00aa", "a"},
           Row{"a Roman numeral", "\u2168", "IX"},
           Row{"full width", "\uff50\uff57", "pw"},
           Row{"another space", "a\u00a0b\u3000c", "a b c"},
           Row{"a composed letter", "e\u0301", "\u00e9"},
           Row{"the longest one", "\ufdfa",
               "\u0635\u0644\u0649 \u0627\u0644\u0644\u0647 \u0639\u0644\u064a\u0647 \u0648\u0633\u0644\u0645"},
           Row{"a control character", "\u2168\u0007", "\u2168\u0007"},
           Row{"both directions", "\u0627\u00e91", "\u0627\u00e91"},
           Row{"not in Unicode 3.2", "\u0221\u2168", "\u0221\u2168"},
           Row{"nothing is left", "\u00ad", "\u00ad"},
           Row{"no UTF-8", "\xe9\xff", "\xe9\xff"},
           Row{"empty", "", ""},
       }) {
    CAPTURE(row.what);
    CHECK(crypto::saslprep(row.typed) == row.prepared);
  }
}

TEST_CASE("postgres logs in, asks once, and takes its leave") {
  fakes::ConnectedTrial trial("postgres", "db:5432", {"username=fettle", "database=shop"});
  trial.connect();
  const std::string body = u32(196'608) + "user\0fettle\0database\0shop\0application_name\0fettle\0\0"s;
  CHECK(trial.peer.written == std::vector{u32(body.size() + 4) + body});
  trial.peer.say(login(0) + message('S', "TimeZone\0UTC\0"s) + message('K', u32(1) + u32(2)));
  CHECK(trial.peer.written.size() == 1);
  trial.peer.say(kReady);
  REQUIRE(trial.peer.written.size() == 2);
  CHECK(trial.peer.written[1].starts_with("Q"));
  for (const char c : message('T', "\0\0"s) + row("f", "0") + message('C', "SELECT 1\0"s) + kReady) {
    CHECK(trial.answers == 0);
    trial.peer.say(std::string(1, c));
  }
  CHECK(trial.found.text == "db:5432 is a primary");
  CHECK(trial.found.up);
  CHECK(trial.peer.written.back() == message('X', ""));
  CHECK(trial.measured("probe_postgres_in_recovery") == 0);
}

TEST_CASE("postgres judges what it hears, and takes no login that it does not know for one") {
  struct Row {
    const char* name;
    std::vector<std::string> settings;
    std::string answer;
    Reason reason;
    const char* text;
  };
  const std::string in = login(0) + kReady;
  for (const Row& each : {
           Row{"GSSAPI",
               {"password=x"},
               login(7),
               Reason::auth_failed,
               "wants a login that fettle does not speak (method 7); set scram-sha-256 at the server"},
           Row{"SASL of another kind",
               {"password=x"},
               login(10, "OAUTHBEARER\0\0"s),
               Reason::auth_failed,
               "wants a login that fettle does not speak (method 10); set scram-sha-256 at the server"},
           Row{"in the clear, over TCP",
               {"password=x"},
               login(3),
               Reason::auth_failed,
               "wants the password in the clear; set tls, or scram-sha-256 at the server"},
           Row{"no password",
               {},
               login(10, "SCRAM-SHA-256\0\0"s),
               Reason::auth_failed,
               "wants a password; give password_file"},
           Row{"in without the server's proof",
               {"password=x"},
               login(10, "SCRAM-SHA-256\0\0"s) + login(0) + kReady,
               Reason::auth_failed,
               "did not prove that it knows the password"},
           Row{"ready without a login", {}, kReady, Reason::protocol_error, "was ready before the login was done"},
           Row{"refused",
               {},
               error("28P01", "password authentication failed"),
               Reason::auth_failed,
               "answered with error 28P01: password authentication failed"},
           Row{"starting",
               {},
               error("57P03", "the database system is starting up"),
               Reason::status_mismatch,
               "answered with error 57P03: the database system is starting up"},
           Row{"full",
               {},
               error("53300", "sorry, too many clients already"),
               Reason::status_mismatch,
               "answered with error 53300: sorry, too many clients already"},
           Row{"the query fails",
               {},
               in + error("XX000", "oh"),
               Reason::status_mismatch,
               "answered with error XX000: oh"},
           Row{"the query says nothing", {}, in + kReady, Reason::protocol_error, "did not answer the query"},
           Row{"a broken row",
               {},
               in + message('D', "\0\2\xff\xff\xff\xff"s) + kReady,
               Reason::protocol_error,
               "did not answer the query"},
           Row{"a query",
               {"queries=[{name: new, sql: 'SELECT 1', less_than: 3}]"},
               in + row("f", "0") + kReady + table("n", {"2"}) + kReady,
               Reason::none,
               "is a primary"},
           Row{"a query beyond its limit",
               {"queries=[{name: new, sql: 'SELECT 1', less_than: 3}]"},
               in + row("f", "0") + kReady + table("n", {"3"}) + kReady,
               Reason::body_mismatch,
               "query new is 3, not less than 3"},
           Row{"a query that fails",
               {"queries=[{name: new, sql: 'SELECT x'}]"},
               in + row("f", "0") + kReady + error("42703", "no column x"),
               Reason::status_mismatch,
               "answered the query new with error 42703: no column x"},
           Row{"a standby",
               {"role=standby", "max_lag=2s"},
               in + row("t", "1.5") + kReady + kReady,
               Reason::none,
               "is a standby"},
           Row{"a standby whose replication this user may not see",
               {"role=standby"},
               in + row("t", "0") + kReady + error("42501", "permission denied for function pg_control_checkpoint") +
                   kReady,
               Reason::none,
               "is a standby"},
           Row{"not a primary",
               {"role=primary"},
               in + row("t", "0") + kReady,
               Reason::status_mismatch,
               "is a standby, not a primary"},
           Row{"behind",
               {"max_lag=2s"},
               in + row("t", "2.5") + kReady,
               Reason::too_slow,
               "is 2s500ms behind its primary; max_lag is 2s"},
           Row{"a lag that is none",
               {"max_lag=2s"},
               in + row("t", "nan") + kReady,
               Reason::protocol_error,
               "did not answer the query"},
           Row{"a lag that no clock can tell",
               {"max_lag=2s"},
               in + row("t", "1e300") + kReady,
               Reason::protocol_error,
               "did not answer the query"},
           Row{"another protocol",
               {},
               "HTTP/1.1 400 Bad Request\r\n",
               Reason::protocol_error,
               "does not speak PostgreSQL's protocol"},
           Row{"a length that cannot be",
               {},
               "R\0\0\0\1xxxx"s,
               Reason::protocol_error,
               "does not speak PostgreSQL's protocol"},
       }) {
    CAPTURE(each.name);
    auto settings = each.settings;
    settings.push_back("username=fettle");
    fakes::ConnectedTrial trial("postgres", "db:5432", settings);
    trial.connect();
    trial.peer.say(each.answer);
    REQUIRE(trial.answers == 1);
    CHECK(trial.found.reason == each.reason);
    CHECK(trial.found.text == "db:5432 " + std::string(each.text));
  }
}

TEST_CASE("postgres answers MD5 with the hash of the hash") {
  fakes::ConnectedTrial trial("postgres", "db:5432", {"username=fettle", "password=open sesame"});
  trial.connect();
  trial.peer.say(login(5, "\1\2\3\4"));
  REQUIRE(trial.peer.written.size() == 2);
  CHECK(trial.peer.written[1] == message('p', "md578609e765913d54ba92ee7984a017e9b\0"s));
  trial.peer.say(login(0) + kReady + row("f", "0") + kReady);
  CHECK(trial.found.text == "db:5432 is a primary");
}

TEST_CASE("postgres asks for TLS first and does not go on without") {
  const std::vector<std::string> settings{"username=fettle", "tls=true"};
  fakes::ConnectedTrial trial("postgres", "db:5432", settings);
  trial.connect();
  CHECK(trial.peer.written == std::vector{u32(8) + u32(80'877'103)});
  trial.peer.say("S");
  CHECK(trial.peer.tls);
  REQUIRE(trial.peer.written.size() == 2);
  CHECK(trial.peer.written[1].find("user\0fettle"s) != std::string::npos);

  fakes::ConnectedTrial refused("postgres", "db:5432", settings);
  refused.connect();
  refused.peer.say("N");
  CHECK(refused.found.reason == Reason::tls_handshake);
  fakes::ConnectedTrial injected("postgres", "db:5432", settings);
  injected.connect();
  injected.peer.say("S" + login(0));
  CHECK(injected.found.reason == Reason::protocol_error);
}

namespace {

// A server of this test's own in a new folder; as the user postgres when the test runs as root.
struct PostgresServer {
  explicit PostgresServer(const std::string& options = "", const std::string& rules = "") {
    REQUIRE(::mkdtemp(folder.data()) != nullptr);
    std::ofstream(folder + "/password") << "open sesame\n";
    const std::string as =
        ::geteuid() == 0 ? "chown -R postgres " + folder + " && cd / && runuser -u postgres -- " : "";
    const std::string data = folder + "/data";
    const auto as_owner = [&](const std::string& command) { return std::system((as + command).c_str()) == 0; };
    control = as + bin + "pg_ctl -D " + data + " ";
    stop = as + bin + "pg_ctl -D " + data + " -m immediate -w stop >/dev/null 2>&1";
    if (!as_owner(bin + "initdb --no-sync -A scram-sha-256 -U fettle --pwfile=" + folder + "/password -D " + data +
                  " >/dev/null 2>&1"))
      return;
    if (!rules.empty()) std::ofstream(data + "/pg_hba.conf") << rules;
    started = fakes::start_on_free_ports([&] {
      port = fakes::TcpPeer::dead_port();
      return as_owner(bin + "pg_ctl -D " + data + " -w -l " + folder + "/log -o '-c listen_addresses=127.0.0.1 " +
                      "-c fsync=off -p " + std::to_string(port) + " -k " + folder + options +
                      "' start >/dev/null 2>&1");
    });
  }
  ~PostgresServer() {
    if (started) started = std::system(stop.c_str()) != 0;
    std::filesystem::remove_all(folder);
  }
  static std::string find() {
    for (int version = 18; version >= 10; --version) {
      const std::string path = "/usr/lib/postgresql/" + std::to_string(version) + "/bin/";
      if (std::filesystem::exists(path + "initdb")) return path;
    }
    return "";
  }
  std::string bin = find();
  std::string folder = (std::filesystem::temp_directory_path() / "fettle-postgres-XXXXXX").string();
  std::uint16_t port = 0;
  std::string control, stop;
  bool started = false;
};

}  // namespace

TEST_CASE("postgres understands the real server") {
  if (PostgresServer::find().empty()) {
    MESSAGE("skipped: PostgreSQL is not installed (apt-get install postgresql)");
    return;
  }
  const PostgresServer server;
  if (!server.started) {
    MESSAGE("skipped: no PostgreSQL server could be started here");
    return;
  }
  fakes::RealProbes probes;
  const auto run = [&](const std::string& target, std::vector<std::string> settings) {
    settings.push_back("username=fettle");
    return probes.run("postgres", target, settings);
  };
  const std::string login = "password=open sesame";
  const std::string over_tcp = "127.0.0.1:" + std::to_string(server.port);
  for (const std::string& target : {over_tcp, server.folder + "/.s.PGSQL." + std::to_string(server.port)}) {
    CAPTURE(target);
    CHECK(run(target, {login, "database=postgres", "role=primary"}).text == target + " is a primary");
    CHECK(run(target, {"password=wrong", "database=postgres"}).reason == Reason::auth_failed);
  }
  const auto grouped =
      run(over_tcp, {login, "database=postgres",
                     "queries=[{name: kinds, sql: \"SELECT datname, count(*) FROM pg_database GROUP BY datname\"}]"});
  CHECK(grouped.up);
  double templates = 0;
  for (const auto& m : grouped.measurements)
    if (m.name == "probe_postgres_query_value" && m.labels.get("datname") == "template1") templates = m.value;
  CHECK(templates == 1);
  const auto nowhere = run(over_tcp, {login, "database=nowhere"});
  CHECK(nowhere.reason == Reason::status_mismatch);
  CHECK(nowhere.text.find("3D000") != std::string::npos);
  CHECK(run(over_tcp, {login, "database=postgres", "tls=true"}).reason == Reason::tls_handshake);
}

TEST_CASE("postgres measures the replication of a real pair") {
  if (PostgresServer::find().empty()) {
    MESSAGE("skipped: PostgreSQL is not installed (apt-get install postgresql)");
    return;
  }
  const PostgresServer primary("",
                               "local all all trust\nlocal replication all trust\nhost all all 127.0.0.1/32 trust\n");
  if (!primary.started) {
    MESSAGE("skipped: no PostgreSQL server could be started here");
    return;
  }
  const std::string as = ::geteuid() == 0 ? "cd / && runuser -u postgres -- " : "";
  const std::string port = std::to_string(primary.port), standby_data = primary.folder + "/standby";
  const auto query = [&](const std::string& sql) {
    return std::system((as + primary.bin + "psql -q -h " + primary.folder + " -p " + port +
                        " -U fettle postgres -c \"" + sql + "\" >/dev/null")
                           .c_str()) == 0;
  };
  REQUIRE(query("SELECT pg_create_physical_replication_slot('away', true)"));
  REQUIRE(std::system((as + primary.bin + "pg_basebackup -D " + standby_data + " -R -C -S b -X stream -c fast -h " +
                       primary.folder + " -p " + port + " -U fettle")
                          .c_str()) == 0);
  std::uint16_t standby_port = 0;
  const auto control = [&](const std::string& words) {
    return std::system(
               (as + primary.bin + "pg_ctl -D " + standby_data + " -w " + words + " >/dev/null 2>&1").c_str()) == 0;
  };
  REQUIRE(fakes::start_on_free_ports([&] {
    standby_port = fakes::TcpPeer::dead_port();
    return control("-l " + primary.folder + "/standby.log -o '-p " + std::to_string(standby_port) + "' start");
  }));
  fakes::RealProbes probes;
  const auto run = [&](std::uint16_t of, const std::string& role) {
    return probes.run("postgres", "127.0.0.1:" + std::to_string(of),
                      {"username=fettle", "database=postgres", "role=" + role});
  };
  model::Outcome standby = run(standby_port, "standby");
  for (int i = 0; i < 5'000 && fakes::measurement(standby, "probe_postgres_wal_receiver_streaming") != 1; ++i)
    standby = run(standby_port, "standby");
  CAPTURE(standby.text);
  CHECK(standby.up);
  CHECK(fakes::measurement(standby, "probe_postgres_timeline") == 1);
  CHECK(fakes::measurement(standby, "probe_postgres_replay_lag_bytes") >= 0);
  CHECK(fakes::measurement(standby, "probe_postgres_last_message_seconds") >= 0);
  // The standby tells how far it is a moment after it began to stream.
  const auto tells_lag = [](const model::Outcome& outcome) {
    return std::any_of(outcome.measurements.begin(), outcome.measurements.end(),
                       [](const auto& m) { return m.name == "probe_postgres_standby_lag_bytes"; });
  };
  model::Outcome followed = run(primary.port, "primary");
  for (int i = 0; i < 5'000 && !tells_lag(followed); ++i) followed = run(primary.port, "primary");
  CHECK(followed.up);
  CHECK(fakes::measurement(followed, "probe_postgres_standbys") == 1);
  CHECK(fakes::measurement(followed, "probe_postgres_sync_standbys") == 0);
  CHECK(fakes::measurement(followed, "probe_postgres_standby_lag_bytes") >= 0);
  CHECK(fakes::measurement(followed, "probe_postgres_inactive_slots") == 1);
  CHECK(fakes::measurement(followed, "probe_postgres_slot_retained_bytes") >= 0);
  // Another primary, a timeline further on.
  REQUIRE(control("promote"));
  const model::Outcome promoted = run(standby_port, "primary");
  CHECK(promoted.text.ends_with(" is a primary"));
  CHECK(control("-m immediate stop"));
}

// As servers up to 13 store passwords, and pgbouncer asks for them.
TEST_CASE("postgres logs in to the real server with MD5") {
  if (PostgresServer::find().empty()) {
    MESSAGE("skipped: PostgreSQL is not installed (apt-get install postgresql)");
    return;
  }
  const PostgresServer server(" -c password_encryption=md5", "local all all trust\nhost all all 127.0.0.1/32 md5\n");
  if (!server.started) {
    MESSAGE("skipped: no PostgreSQL server could be started here");
    return;
  }
  fakes::RealProbes probes;
  const std::string port = std::to_string(server.port);
  REQUIRE(std::system((server.bin + "psql -q -h " + server.folder + " -p " + port +
                       " -U fettle postgres -c \"ALTER ROLE fettle PASSWORD 'open sesame'\"")
                          .c_str()) == 0);
  const auto run = [&](const std::string& password) {
    return probes.run("postgres", "127.0.0.1:" + port,
                      {"username=fettle", "database=postgres", "password=" + password});
  };
  const auto up = run("open sesame");
  CAPTURE(up.text);
  CHECK(up.up);
  CHECK(run("wrong").reason == Reason::auth_failed);
}

// libpq prepares a password before it hashes it; the server stores what it got.
TEST_CASE("postgres logs in to the real server with passwords that SASLprep changes, and that it forbids") {
  if (PostgresServer::find().empty()) {
    MESSAGE("skipped: PostgreSQL is not installed (apt-get install postgresql)");
    return;
  }
  const PostgresServer server("", "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n");
  if (!server.started) {
    MESSAGE("skipped: no PostgreSQL server could be started here");
    return;
  }
  fakes::RealProbes probes;
  const std::string port = std::to_string(server.port);
  for (const std::string password : {"\u2168\u00adpw\u00a0x", "e\u0301", "\u0627\u00e91", "\u0221\u2168"}) {
    CAPTURE(password);
    REQUIRE(std::system((server.bin + "psql -q -h " + server.folder + " -p " + port +
                         " -U fettle postgres -c \"ALTER ROLE fettle PASSWORD '" + password + "'\"")
                            .c_str()) == 0);
    const auto run =
        probes.run("postgres", "127.0.0.1:" + port, {"username=fettle", "database=postgres", "password=" + password});
    CHECK(run.text == "127.0.0.1:" + port + " is a primary");
  }
}

TEST_CASE("postgres goes on in TLS with the real server, whatever its certificate") {
  if (PostgresServer::find().empty()) {
    MESSAGE("skipped: PostgreSQL is not installed (apt-get install postgresql)");
    return;
  }
  const fakes::TemporaryFolder folder;
  const fakes::CertificateKinds kinds(folder.path());
  const auto give = [&] {
    std::filesystem::permissions(folder.path() + "/server.key", std::filesystem::perms::owner_read);
    fakes::give_all_to(folder.path(), "postgres");
  };
  give();
  const PostgresServer server(" -c ssl=on -c ssl_ca_file=" + folder.path() + "/ca.pem -c ssl_cert_file=" +
                                  folder.path() + "/server.pem -c ssl_key_file=" + folder.path() + "/server.key",
                              "hostssl template1 all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca\n"
                              "hostssl all all 127.0.0.1/32 scram-sha-256\n");
  if (!server.started) {
    MESSAGE("skipped: no PostgreSQL server could be started here");
    return;
  }
  fakes::RealProbes probes;
  const std::string target = "127.0.0.1:" + std::to_string(server.port);
  const auto run_in = [&](const std::string& database, std::vector<std::string> settings) {
    settings.insert(settings.end(), {"username=fettle", "password=open sesame", "database=" + database, "tls=true"});
    return probes.run("postgres", target, settings);
  };
  kinds.check([&](const auto& settings) { return run_in("postgres", settings); });
  CHECK(run_in("template1", kinds.client()).up);
  CHECK(run_in("template1", {kinds.trusted()}).reason == Reason::auth_failed);
  CHECK(probes.run("postgres", target, {"username=fettle", "password=open sesame"}).reason == Reason::auth_failed);
  const auto look = [&](std::vector<std::string> settings) {
    settings.push_back("starttls=postgres");
    return probes.run("tls", target, settings);
  };
  kinds.check(look);
  std::filesystem::permissions(folder.path() + "/server.key", std::filesystem::perms::owner_all);
  kinds.expire();
  give();
  REQUIRE(std::system((server.control + "reload >/dev/null 2>&1").c_str()) == 0);
  // The postmaster takes a moment to read its files again.
  const auto patience = probes.loop.now() + 20s;
  while (run_in("postgres", {kinds.trusted()}).up && probes.loop.now() < patience) ::usleep(20'000);
  kinds.check_expired([&](const auto& settings) { return run_in("postgres", settings); });
  CHECK(look({kinds.trusted()}).reason == Reason::tls_expired);
}
