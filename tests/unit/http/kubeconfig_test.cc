// kubeconfig files: what their current-context says of a request, what is a mistake and where it is, and that a file
// that changed is read again.
#include "http/kubeconfig.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <iterator>
#include <optional>

#include "base/base64.h"
#include "fakes/certificates.h"
#include "fakes/fake_http.h"
#include "fakes/temporary_folder.h"
#include "http/kubernetes_server.h"

namespace {

using namespace std::chrono_literals;

// With kubectl's words around them. `user` is a flow mapping.
std::string kubeconfig(const std::string& cluster, const std::string& user) {
  return R"(apiVersion: v1
kind: Config
preferences: {}
current-context: shop
clusters:
- {name: other, cluster: {server: 'https://other.test'}}
- name: shop-cluster
  cluster: )" +
         cluster + R"(
contexts:
- {name: other, context: {cluster: other, user: other}}
- {name: shop, context: {cluster: shop-cluster, user: deployer, namespace: shop}}
users:
- {name: other, user: {exec: {command: cloud, apiVersion: client.authentication.k8s.io/v1}}}
- name: deployer
  user: )" +
         user + "\n";
}
const char* const kPlain = "{server: 'https://k.test:6443/'}";

// A server of a file, and what is asked of it.
struct Site {
  explicit Site(const std::string& text, const std::string& more = "") {
    file = folder.write("config", text);
    const config::Node node = config::Node::parse("{kubeconfig_file: " + file + more + "}", "fettle.yml", errors);
    http::KubernetesServer keys = http::kubernetes_server_schema().parse(node, "sd", errors);
    api.emplace(http::kubernetes_api(std::move(keys), node, "sd", errors));
  }
  // The request that was sent; null if none was.
  const http::HttpRequest* ask() {
    answers.clear();
    const std::size_t before = client.desk.asked().size();
    pending = api->ask(client, loop, {.path = "/api/v1/pods", .deadline = loop.now() + 1s},
                       [this](const http::HttpResponse& response) { answers.push_back(response); });
    loop.run_due();
    return client.desk.asked().size() > before ? &client.desk.last() : nullptr;
  }
  std::string authorization() {
    const http::HttpRequest* request = ask();
    const std::string* value = request == nullptr ? nullptr : http::find_header(request->headers, "Authorization");
    return value == nullptr ? "" : *value;
  }
  // With another size, as its time may be the same.
  void rewrite(const std::string& text) const { folder.write("config", text); }

  fakes::TemporaryFolder folder;
  std::string file;
  config::Errors errors;
  std::optional<http::JsonApi> api;
  fakes::FakeLoop loop;
  fakes::FakeHttp client{loop};
  std::vector<http::HttpResponse> answers;
  loop::Handle pending;
};

std::string read(const std::string& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("the current context names the server and the user") {
  struct Row {
    const char *user, *authorization;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"{token: t0ken-of-shop}", "Bearer t0ken-of-shop"},
           {"{username: ann, password: passw0rd-1}", "Basic YW5uOnBhc3N3MHJkLTE="},
           {"{tokenFile: token, token: older}", "Bearer fr0m-a-file"},
           {"{}", ""},
       }) {
    CAPTURE(row.user);
    Site site(kubeconfig(kPlain, row.user));
    site.folder.write("token", "fr0m-a-file\n");
    CHECK(site.errors.text() == "");
    CHECK(site.api->name() == "https://k.test:6443");
    CHECK(site.authorization() == row.authorization);
    CHECK(site.client.desk.last().url == "https://k.test:6443/api/v1/pods");
  }
}

TEST_CASE("a proxy and the keys of TLS are those of http_config") {
  const fakes::Certificate made = fakes::make_certificate({.common_name = "ca", .authority = true});
  fakes::TemporaryFolder folder;
  made.write(folder / "ca", folder / "key");
  const std::string ca = base::base64_encode(read(folder / "ca")), key = base::base64_encode(read(folder / "key"));
  Site site(kubeconfig("{server: 'https://k.test:6443', certificate-authority-data: " + ca +
                           ", tls-server-name: kubernetes, proxy-url: 'http://ann:pr0xy-pass@proxy.test:3128'}",
                       "{client-certificate-data: " + ca + ", client-key-data: " + key + "}"));
  CHECK(site.errors.text() == "");
  const http::HttpRequest* request = site.ask();
  REQUIRE(request != nullptr);
  CHECK(request->proxy == "http://ann:pr0xy-pass@proxy.test:3128");
  REQUIRE(request->tls != nullptr);
  const net::TlsSettings& tls = request->tls->settings();
  CHECK(tls.ca == read(folder / "ca"));
  CHECK(tls.cert == read(folder / "ca"));
  CHECK(tls.key.reveal() == read(folder / "key"));
  CHECK(tls.server_name == "kubernetes");
  CHECK_FALSE(tls.insecure_skip_verify);
  CHECK(site.api->fit("via pr0xy-pass") == "via <secret>");

  Site files(kubeconfig("{server: 'https://k.test:6443', certificate-authority: pki/ca.crt}",
                        "{client-certificate: pki/ann.crt, client-key: /etc/ann.key}"));
  CHECK(files.errors.text() == "");  // files that are not there yet are a warning
  REQUIRE(files.errors.warnings().size() == 1);
  const http::HttpRequest* sent = files.ask();
  REQUIRE(sent != nullptr);
  CHECK(sent->tls->settings().ca_file == files.folder / "pki/ca.crt");
  CHECK(sent->tls->settings().cert_file == files.folder / "pki/ann.crt");
  CHECK(sent->tls->settings().key_file == "/etc/ann.key");
  Site open(kubeconfig("{server: 'https://k.test:6443', insecure-skip-tls-verify: true}", "{}"));
  CHECK(open.ask()->tls->settings().insecure_skip_verify);
}

TEST_CASE("mistakes have their place in the file") {
  const std::string not_run = "names a program that gives credentials, which the agent does not run";
  struct Row {
    std::string text, want;
  };
  const std::string pem = base::base64_encode("no pem");
  for (const Row& row : std::initializer_list<Row>{
           {kubeconfig(kPlain, "{exec: {command: aws}}"), ":15:16: sd.kubeconfig_file.users[1].user.exec: " + not_run},
           {kubeconfig(kPlain, "{auth-provider: {name: gcp}}"),
            ":15:25: sd.kubeconfig_file.users[1].user.auth-provider: is a plugin"},
           {kubeconfig(kPlain, "{token: a, as: admin}"), "users[1].user.as: is not done"},
           {kubeconfig(kPlain, "{token: a, as-groups: [b]}"), "users[1].user.as-groups: is not done"},
           {kubeconfig(kPlain, "{token: a, username: b}"), "users[1].user.username: cannot stand beside a token"},
           {kubeconfig(kPlain, "{password: b}"), "users[1].user.password: needs a username"},
           {kubeconfig(kPlain, "{token: \"a\\nb\"}"), "users[1].user.token: has a line break"},
           {kubeconfig(kPlain, "{client-key: a}"), "users[1].user.client-key: needs a client certificate"},
           {kubeconfig(kPlain, "{client-certificate: a}"), "users[1].user: has a client certificate without its key"},
           {kubeconfig(kPlain, "{client-certificate: a, client-certificate-data: YQ==, client-key: b}"),
            "client-certificate: cannot stand beside client-certificate-data"},
           {kubeconfig(kPlain, "{client-certificate-data: '!', client-key: b}"),
            "client-certificate-data: is not base64"},
           {kubeconfig(kPlain, "{client-certificate-data: " + pem + ", client-key: b}"),
            "users[1].user.client-certificate-data: has no PEM in it that can be used"},
           {kubeconfig("{}", "{}"),
            ":8:12: sd.kubeconfig_file.clusters[1].cluster: the required key 'server' is missing"},
           {kubeconfig("{server: k.test}", "{}"),
            ":8:21: sd.kubeconfig_file.clusters[1].cluster.server: must be http:// or"},
           {kubeconfig("{server: 'https://k', certificate-authority-data: " + pem + "}", "{}"),
            "certificate-authority-data: has no PEM in it that can be used"},
           {kubeconfig("{server: 'https://k', certificate-authority: a, insecure-skip-tls-verify: true}", "{}"),
            "insecure-skip-tls-verify: cannot stand beside certificates to trust"},
           {kubeconfig("{server: 'https://k', proxy-url: 'ftp://p'}", "{}"), "proxy-url: must begin with"},
           {kubeconfig("{server: 'https://k', insecure-skip-tls-verify: 1}", "{}"),
            "insecure-skip-tls-verify: expected true or false"},
           {"contexts: []\n", "config:1:1: sd.kubeconfig_file.current-context: names no context"},
           {"current-context: shop\ncontexts:\n- {name: a}\n- {name: b}\n",
            ":1:18: sd.kubeconfig_file.current-context: 'shop' is not in contexts, which has a, b"},
           {"current-context: shop\n", "'shop' is not in contexts, which has nothing"},
           {"current-context: a\ncontexts:\n- {name: a, context: {cluster: b, user: c}}\n",
            ":3:32: sd.kubeconfig_file.contexts[0].context.cluster: 'b' is not in clusters"},
           {"current-context: a\ncontexts:\n- {name: a}\n",
            ":3:3: sd.kubeconfig_file.contexts[0].context: has no value: expected a mapping"},
           {"- a\n", ":1:1: sd.kubeconfig_file: is no kubeconfig"},
           {"", "config:1:1: sd.kubeconfig_file: is no kubeconfig"},
       }) {
    CAPTURE(row.text);
    Site site(row.text);
    const std::string text = site.errors.text();
    CAPTURE(text);
    CHECK(text.find(row.want) != std::string::npos);
    CHECK(site.ask() == nullptr);  // nothing is sent
    REQUIRE(site.answers.size() == 1);
    CHECK(site.answers[0].reason == model::Reason::agent_overloaded);
  }
  Site broken("current-context: [a\n");
  CHECK(broken.errors.lines().size() == 2);  // what the parser says, and at the key that the file is none
}

TEST_CASE("all mistakes are told, and what is not used has none") {
  Site site(kubeconfig("{server: k.test, proxy-url: 'ftp://p'}", "{exec: {}, as: admin}"));
  CHECK(site.errors.lines().size() == 4);
}

TEST_CASE("no other key says how the server is asked") {
  Site site(kubeconfig(kPlain, "{}"), ", api_server: 'https://a', authorization: {credentials: b}");
  REQUIRE(site.errors.lines().size() == 2);
  CHECK(site.errors.text().find("sd.api_server: cannot stand beside kubeconfig_file") != std::string::npos);
  CHECK(site.errors.text().find("sd.authorization: cannot stand beside kubeconfig_file") != std::string::npos);
}

TEST_CASE("a file that changed is read again") {
  Site site(kubeconfig(kPlain, "{token: first-t0ken}"));
  CHECK(site.authorization() == "Bearer first-t0ken");
  site.rewrite(kubeconfig("{server: 'https://next.test'}", "{token: the-second-t0ken}"));
  CHECK(site.authorization() == "Bearer the-second-t0ken");
  CHECK(site.client.desk.last().url == "https://next.test/api/v1/pods");
  // An answer to the request before it may still name the old one.
  CHECK(site.api->fit("no first-t0ken and no the-second-t0ken here") == "no <secret> and no <secret> here");
  site.rewrite(kubeconfig("{server: none}", "{token: the-third-and-last-t0ken}"));
  CHECK(site.authorization() == "Bearer the-second-t0ken");
  std::filesystem::remove(site.file);
  CHECK(site.authorization() == "Bearer the-second-t0ken");
  site.rewrite(kubeconfig(kPlain, "{token: 4th}"));
  CHECK(site.authorization() == "Bearer 4th");
}

TEST_CASE("a file that is not there is a warning, and is taken when it comes") {
  Site site(kubeconfig(kPlain, "{token: a}"));
  std::filesystem::remove(site.file);
  config::Errors errors;
  http::KubeconfigFile file(site.file, {}, "sd.kubeconfig_file", errors);
  CHECK(errors.text() == "");
  REQUIRE(errors.warnings().size() == 1);
  CHECK(errors.warnings()[0].find("No such file or directory; what is asked fails until that is mended") !=
        std::string::npos);
  CHECK(file.server().trouble.find("No such file") != std::string::npos);
  site.rewrite("current-context: a\n");
  CHECK(file.server().trouble.find(":1:18: sd.kubeconfig_file.current-context: 'a' is not in") != std::string::npos);
  site.rewrite(kubeconfig(kPlain, "{token: b}"));
  CHECK(file.server().trouble == "");
  CHECK(file.server().address.url == "https://k.test:6443");
}
