// mysql against the real MariaDB: that no failure ever locks it out, and TLS with certificates of each kind.
#include <doctest/doctest.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "fakes/certificate_kinds.h"
#include "fakes/real_server.h"
#include "fakes/tcp_peer.h"

using model::Reason;

namespace {

// A server of this test's own in a new folder, with shop.orders in it and the user fettle; not as root. `found`: it is
// installed.
struct MariaDb {
  explicit MariaDb(const std::string& init, const std::vector<std::string>& options = {}) {
    const std::string program = fakes::find_program("mariadbd"), install = fakes::find_program("mariadb-install-db");
    found = !program.empty() && !install.empty() && !fakes::find_program("my_print_defaults").empty();
    if (!found) {
      MESSAGE("skipped: MariaDB is not installed (apt-get install mariadb-server-core mariadb-client-core)");
      return;
    }
    const std::string data = at + "/data";
    fakes::give_to(at, "nobody");
    const std::string as = ::geteuid() == 0 ? "cd / && runuser -u nobody -- " : "";
    if (std::system((as + install + " --no-defaults --auth-root-authentication-method=normal --skip-test-db " +
                     "--datadir=" + data + " >" + at + "/install 2>&1")
                        .c_str()) != 0) {
      std::ostringstream said;
      said << std::ifstream(at + "/install").rdbuf();
      FAIL("mariadb-install-db failed: " << said.str());
    }
    std::ofstream(at + "/init.sql")
        << "CREATE USER fettle@localhost IDENTIFIED BY 'open sesame';\nCREATE DATABASE shop;\n"
           "GRANT SELECT ON shop.* TO fettle@localhost;\nCREATE TABLE shop.orders (state VARCHAR(8));\n"
           "INSERT INTO shop.orders VALUES ('new'), ('new'), ('paid');\n"
        << init;
    server.emplace([this, program, data, options](fakes::RealServer& s) {
      const std::string port = std::to_string(fakes::TcpPeer::dead_port());
      over_tcp = "127.0.0.1:" + port;
      std::vector<std::string> words{program,
                                     "--no-defaults",
                                     "--datadir=" + data,
                                     "--socket=" + socket,
                                     "--port=" + port,
                                     "--bind-address=127.0.0.1",
                                     "--init-file=" + at + "/init.sql",
                                     "--max-connect-errors=3",
                                     "--innodb-buffer-pool-size=8M",
                                     "--innodb-flush-log-at-trx-commit=0",
                                     "--skip-log-bin"};
      words.insert(words.end(), options.begin(), options.end());
      s.run(std::move(words), at + "/log", "nobody");
    });
  }
  const fakes::TemporaryFolder folder;
  const std::string at = folder.path();
  const std::string socket = at + "/m.sock";
  std::string over_tcp;
  bool found = false;
  std::optional<fakes::RealServer> server;
};

}  // namespace

TEST_CASE("mysql understands the real MariaDB, and is never locked out") {
  MariaDb db("");
  if (!db.found) return;
  const auto& [socket, over_tcp] = std::tie(db.socket, db.over_tcp);
  fakes::RealProbes probes;
  const std::vector<std::string> login{"username=fettle", "password=open sesame", "database=shop"};
  const auto first = db.server->until_up([&] { return probes.run("mysql", db.socket, login); });
  CHECK(first.text.starts_with(socket + " is "));
  CHECK(first.text.find("MariaDB") != std::string::npos);
  REQUIRE(first.up);
  auto with_query = login;
  with_query.push_back("queries=[{name: orders, sql: 'SELECT state, count(*) FROM orders GROUP BY state'}]");
  const auto queried = probes.run("mysql", over_tcp, with_query);
  CHECK(queried.up);
  CHECK(fakes::measurement(queried, "probe_mysql_query_value", "state", "new") == 2);
  // More than max_connect_errors of every failure that this probe can run into; then it must still be let in.
  for (int i = 0; i < 5; ++i) {
    CHECK(probes.run("mysql", over_tcp, {"username=fettle", "password=wrong"}).reason == Reason::auth_failed);
    CHECK(probes.run("mysql", over_tcp, {"username=fettle", "password_file=/nonexistent"}).reason ==
          Reason::agent_overloaded);
    CHECK(probes.run("mysql", over_tcp, {"username=nobody-here"}).reason == Reason::auth_failed);
  }
  CHECK(probes.run("mysql", over_tcp, login).up);
  CHECK(probes.run("mysql", over_tcp, {"username=fettle", "password=open sesame", "database=nowhere"}).reason ==
        Reason::auth_failed);
  auto replica = login;
  replica.push_back("role=replica");
  CHECK(probes.run("mysql", over_tcp, replica).text.find("the user needs REPLICATION CLIENT") != std::string::npos);
}

TEST_CASE("mysql goes on in TLS with the real MariaDB, whatever its certificate") {
  const fakes::TemporaryFolder folder;
  const fakes::CertificateKinds kinds(folder.path());
  fakes::give_all_to(folder.path(), "nobody");
  MariaDb db(
      "CREATE USER by_tls@localhost IDENTIFIED BY 'open sesame' REQUIRE SSL;\n"
      "CREATE USER by_certificate@localhost IDENTIFIED BY 'open sesame' REQUIRE X509;\n",
      {"--ssl-ca=" + folder.path() + "/ca.pem", "--ssl-cert=" + folder.path() + "/server.pem",
       "--ssl-key=" + folder.path() + "/server.key", "--require-secure-transport=ON"});
  if (!db.found) return;
  fakes::RealProbes probes;
  const auto first = db.server->until_up([&] {
    return probes.run("mysql", db.socket, {"username=fettle", "password=open sesame"});
  });
  REQUIRE(first.up);
  const auto run_as = [&](const std::string& user, std::vector<std::string> settings) {
    settings.insert(settings.end(), {"username=" + user, "password=open sesame", "tls=true"});
    return probes.run("mysql", db.over_tcp, settings);
  };
  kinds.check([&](const auto& settings) { return run_as("fettle", settings); });
  const auto up = run_as("by_tls", {kinds.trusted(), "database=shop"});
  CHECK(up.text.starts_with(db.over_tcp + " answered with error 1044"));  // logged in; it has no right to that database
  CHECK(run_as("by_tls", {kinds.trusted()}).up);
  CHECK(fakes::measurement(run_as("by_tls", {kinds.trusted()}), "probe_ssl_earliest_cert_expiry") > 0);
  CHECK(run_as("by_certificate", kinds.client()).up);
  CHECK(run_as("by_certificate", {kinds.trusted()}).reason == Reason::auth_failed);
  const auto open = probes.run("mysql", db.over_tcp, {"username=by_tls", "password=open sesame"});
  CAPTURE(open.text);
  CHECK_FALSE(open.up);
  const auto look = [&](std::vector<std::string> settings) {
    settings.push_back("starttls=mysql");
    return probes.run("tls", db.over_tcp, settings);
  };
  kinds.check(look);
  kinds.expire();
  fakes::give_all_to(folder.path(), "nobody");
  REQUIRE(std::system(("mariadb --no-defaults --skip-ssl -uroot -S " + db.socket + " -e 'FLUSH SSL'").c_str()) == 0);
  kinds.check_expired([&](const auto& settings) { return run_as("fettle", settings); });
  CHECK(look({kinds.trusted()}).reason == Reason::tls_expired);
}
