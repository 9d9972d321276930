// grpc: the bytes, the verdicts, and the real server where it is installed.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>

#include "base/random.h"
#include "fakes/certificates.h"
#include "fakes/local_server.h"
#include "fakes/probe_kernel.h"
#include "fakes/probe_trial.h"
#include "fakes/source_file.h"
#include "probe/net/grpc_message.h"

namespace {

using namespace std::chrono_literals;
using model::Reason;
using probe::Serving;

std::string framed(const std::string& message) {
  return std::string("\0\0\0\0", 4) + static_cast<char>(message.size()) + message;
}

http::HttpResponse answer(const std::string& body, http::Headers more) {
  http::HttpResponse response;
  response.status = 200;
  response.version = "2";
  response.headers = {{"content-type", "application/grpc+proto"}};
  for (auto& header : more) response.headers.push_back(std::move(header));
  response.body = body;
  response.address = "10.0.0.1";
  response.phases = {{"resolve", 1ms}, {"connect", 2ms}, {"processing", 3ms}};
  return response;
}

}  // namespace

TEST_CASE("a health request is a frame of one string") {
  CHECK(probe::health_request("") == std::string("\0\0\0\0\0", 5));
  CHECK(probe::health_request("shop") == std::string("\0\0\0\0\6\x0a\4shop", 11));
  CHECK(probe::health_request(std::string(300, 'x')).substr(0, 8) == std::string("\0\0\0\1\x2f\x0a\xac\2", 8));
}

TEST_CASE("a health response is read as protobuf writes it") {
  struct Row {
    const char* name;
    std::string bytes;
    std::optional<Serving> want;
  };
  for (const Row& row : {
           Row{"nothing is zero", "", Serving::unknown},
           Row{"serving", "\x08\1", Serving::serving},
           Row{"not serving", "\x08\2", Serving::not_serving},
           Row{"service unknown", "\x08\3", Serving::service_unknown},
           Row{"a status of the future", "\x08\x09", Serving::unknown},
           Row{"fields of the future are passed over",
               std::string("\x12\2ab\x19", 5) + std::string(8, 'x') + "\x25" + "1234\x08\1\x30\x96\1",
               Serving::serving},
           Row{"the last one counts", "\x08\1\x08\2", Serving::not_serving},
           Row{"a number without an end", "\x08\x80", std::nullopt},
           Row{"a string longer than the message", "\x12\x09x", std::nullopt},
           Row{"a group", "\x0b", std::nullopt},
       }) {
    CAPTURE(row.name);
    CHECK(probe::read_health_response(row.bytes) == row.want);
  }
  base::Random random(7);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes(random.below(24), '\0');
    for (char& c : bytes) c = static_cast<char>(random.below(256));
    static_cast<void>(probe::read_health_response(bytes));
  }
}

TEST_CASE("grpc judges how the call ended, and what the service says of itself") {
  struct Row {
    const char* name;
    http::HttpResponse response;
    Reason reason;
    const char* text;
    double status;
    const char* serving;
  };
  http::HttpResponse old = answer("", {});
  old.version = "1.1";
  http::HttpResponse proxy = answer("", {});
  proxy.status = 502;
  http::HttpResponse page = answer("<html>", {});
  page.headers[0].second = "text/html";
  http::HttpResponse timeout;
  timeout.reason = Reason::read_timeout;
  timeout.text = "no answer from 10.0.0.1:9090 in time";
  http::HttpResponse refused;
  refused.reason = Reason::refused;
  refused.text = "connect to 10.0.0.1:9090: Connection refused";
  for (const Row& row : {
           Row{"serving", answer(framed("\x08\1"), {{"grpc-status", "0"}}), Reason::none,
               "service shop of 10.0.0.1:9090 is SERVING", 0, "SERVING"},
           Row{"not serving", answer(framed("\x08\2"), {{"grpc-status", "0"}}), Reason::status_mismatch,
               "service shop of 10.0.0.1:9090 is NOT_SERVING", 0, "NOT_SERVING"},
           Row{"it does not know itself", answer(framed(""), {{"grpc-status", "0"}}), Reason::status_mismatch,
               "service shop of 10.0.0.1:9090 is UNKNOWN", 0, "UNKNOWN"},
           Row{"no such service", answer("", {{"grpc-status", "5"}, {"grpc-message", "nobody%20here"}}),
               Reason::status_mismatch, "service shop of 10.0.0.1:9090: the call ended with NOT_FOUND: nobody here", 5,
               ""},
           Row{"no such method", answer("", {{"grpc-status", "12"}}), Reason::status_mismatch,
               "service shop of 10.0.0.1:9090: the call ended with UNIMPLEMENTED", 12, ""},
           Row{"no credentials", answer("", {{"grpc-status", "16"}}), Reason::auth_failed,
               "service shop of 10.0.0.1:9090: the call ended with UNAUTHENTICATED", 16, ""},
           Row{"a status of the future", answer("", {{"grpc-status", "99"}}), Reason::status_mismatch,
               "service shop of 10.0.0.1:9090: the call ended with status 99", 99, ""},
           Row{"no trailers", answer(framed("\x08\1"), {}), Reason::protocol_error,
               "10.0.0.1:9090 ended the call without a grpc-status", 2, ""},
           Row{"a frame that is cut", answer(framed("\x08\1").substr(0, 6), {{"grpc-status", "0"}}),
               Reason::protocol_error, "10.0.0.1:9090 sent a message whose frame is wrong", 0, ""},
           Row{"a message that is none", answer(framed("\x0b"), {{"grpc-status", "0"}}), Reason::protocol_error,
               "10.0.0.1:9090 sent what is no health response", 0, ""},
           Row{"HTTP/1.1", old, Reason::protocol_error, "10.0.0.1:9090 does not speak HTTP/2", 2, ""},
           Row{"a proxy's error", proxy, Reason::protocol_error,
               "10.0.0.1:9090 answered with HTTP status 502, not as a gRPC server", 2, ""},
           Row{"a page", page, Reason::protocol_error,
               "10.0.0.1:9090 answered with content of type 'text/html', not as a gRPC server", 2, ""},
           Row{"late", timeout, Reason::read_timeout, "no answer from 10.0.0.1:9090 in time", 4, ""},
           Row{"refused", refused, Reason::refused, "connect to 10.0.0.1:9090: Connection refused", 14, ""},
       }) {
    CAPTURE(row.name);
    fakes::Trial trial("grpc", "10.0.0.1:9090", {"service=shop", "metadata.x-shop=1"});
    trial.start();
    const http::HttpRequest& asked = trial.world.http.desk.last();
    CHECK(asked.url == "http://10.0.0.1:9090/grpc.health.v1.Health/Check");
    CHECK(asked.http2 == http::Http2::required);
    CHECK(asked.deadline == trial.world.loop.now() + 1s);
    CHECK(asked.headers == http::Headers{{"Content-Type", "application/grpc"}, {"TE", "trailers"}, {"x-shop", "1"}});
    trial.world.http.desk.answer(row.response);
    REQUIRE(trial.answers == 1);
    CHECK(trial.found.reason == row.reason);
    CHECK(trial.found.text == row.text);
    CHECK(trial.measured("probe_grpc_status_code") == row.status);
    for (const std::string status : {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"})
      CHECK((trial.measured("probe_grpc_healthcheck_response", "serving_status", status) == 1) ==
            (status == row.serving));
    CHECK(trial.measured("probe_grpc_ssl") == 0);
    if (row.response.phases.empty()) continue;
    CHECK(trial.measured("probe_grpc_duration_seconds", "phase", "resolve") == doctest::Approx(0.001));
    CHECK(trial.measured("probe_grpc_duration_seconds", "phase", "check") == doctest::Approx(0.005));
  }
}

TEST_CASE("grpc refuses settings that cannot be") {
  for (const auto& [settings, want] : std::vector<std::pair<std::vector<std::string>, const char*>>{
           {{"unix_socket=/run/x"}, "unix_socket: needs either host and port or unix_socket"},
           {{"metadata.grpc-timeout=1S"}, "metadata: has 'grpc-timeout', which is not for callers to set"},
       }) {
    const auto spec = probe::spec_from_arguments("grpc", "127.0.0.1:9090", settings);
    REQUIRE_FALSE(spec);
    CHECK(spec.error().text.find(want) != std::string::npos);
  }
}

TEST_CASE("grpc understands the real server, in the clear and over TLS") {
  if (std::system("/usr/bin/python3 -c 'import grpc' 2>/dev/null") != 0) {
    MESSAGE("skipped: gRPC's Python is not installed (apt-get install python3-grpcio)");
    return;
  }
  std::string folder = (std::filesystem::temp_directory_path() / "fettle-grpc-XXXXXX").string();
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  const auto certificate = fakes::make_certificate(
      {.common_name = "shop", .alternative = "DNS:shop.test", .until_seconds = 30 * 86'400, .authority = true});
  certificate.write(folder + "/cert.pem", folder + "/key.pem");
  {
    const fakes::RunningProgram server({"/usr/bin/python3", fakes::source_file("tests/fakes/health_over_grpc.py"),
                                        folder + "/cert.pem", folder + "/key.pem"});
    std::istringstream ports(server.first_line());
    std::string port, tls_port;
    ports >> port >> tls_port;
    REQUIRE_FALSE(tls_port.empty());
    const std::string plain = "127.0.0.1:" + port, secure = "127.0.0.1:" + tls_port;
    fakes::ProbeKernel kernel;
    const auto up = kernel.run_until_up("grpc", plain, {"service=order"});
    CHECK(up.text == "service order of " + plain + " is SERVING");
    CHECK(fakes::measured(up, "probe_grpc_status_code") == 0);
    CHECK(fakes::measured(up, "probe_grpc_healthcheck_response", "serving_status", "SERVING") == 1);
    CHECK(fakes::measured(up, "probe_grpc_ssl") == 0);
    CHECK(kernel.run("grpc", plain, {}).text == plain + " is SERVING");
    CHECK(kernel.run("grpc", plain, {"service=payment"}).text == "service payment of " + plain + " is NOT_SERVING");
    const auto nobody = kernel.run("grpc", plain, {"service=nobody"});
    CHECK(nobody.text == "service nobody of " + plain + ": the call ended with NOT_FOUND: no such service: nobody");
    CHECK(fakes::measured(nobody, "probe_grpc_status_code") == 5);
    CHECK(kernel.run("grpc", plain, {"metadata.x-shop=closed"}).reason == Reason::auth_failed);

    const auto trusted = kernel.run(
        "grpc", secure, {"tls=true", "tls_config.ca_file=" + folder + "/cert.pem", "tls_config.server_name=shop.test"});
    CHECK(trusted.text == secure + " is SERVING");
    CHECK(fakes::measured(trusted, "probe_grpc_ssl") == 1);
    CHECK(fakes::measured(trusted, "probe_ssl_earliest_cert_expiry").has_value());
    const auto untrusted = kernel.run("grpc", secure, {"tls=true", "tls_config.server_name=shop.test"});
    CHECK(untrusted.reason == Reason::tls_verify);
    CHECK(fakes::measured(untrusted, "probe_ssl_earliest_cert_expiry").has_value());

    // A call that the server never ends, ends with the run.
    const auto slow = kernel.run("grpc", plain, {"service=slow"}, 100ms);
    CHECK(slow.reason == Reason::read_timeout);
    CHECK(fakes::measured(slow, "probe_grpc_status_code") == 4);
    CHECK(slow.took < 5s);
  }
  std::filesystem::remove_all(folder);
}
