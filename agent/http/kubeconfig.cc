#include "http/kubeconfig.h"

#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/base64.h"
#include "base/file.h"
#include "base/log.h"
#include "config/request.h"
#include "config/schema.h"

namespace http {
namespace {

using config::Complain;
using config::Node;

constexpr std::size_t kLargest = std::size_t{1} * 1024 * 1024;

struct Cluster {
  std::string server, authority_file, authority, tls_server_name, proxy_url;
  bool insecure = false;
};

struct User {
  base::Secret token, key, password;
  std::string token_file, certificate_file, certificate, key_file, username;
  Node exec, auth_provider, as, as_uid, as_groups, as_extra;
};

std::optional<std::string> decoded(std::string text) {
  std::erase_if(text, [](char c) { return c == '\n' || c == '\r' || c == ' '; });
  return text.empty() ? text : base::base64_decode(text);
}

void check_base64(const Complain& complain, const char* key, const std::string& text) {
  if (!decoded(text)) complain(key, "is not base64");
}

const config::Schema<Cluster>& cluster_schema() {
  static const auto schema =
      config::Schema<Cluster>("cluster")
          .required("server", &Cluster::server, "URL of the API server.")
          .optional("certificate-authority", &Cluster::authority_file, "File with certificates to trust.")
          .optional("certificate-authority-data", &Cluster::authority, "Certificates to trust, PEM in base64.")
          .optional("insecure-skip-tls-verify", &Cluster::insecure, "Accept any certificate.")
          .optional("tls-server-name", &Cluster::tls_server_name, "Name to ask for and to verify.")
          .optional("proxy-url", &Cluster::proxy_url, "Proxy to ask.")
          .check([](const Cluster& cluster, const Complain& complain) {
            if (const std::string why = config::url_complaint(cluster.server, "https://10.0.0.7:6443"); !why.empty())
              complain("server", why);
            if (const std::string why = config::proxy_complaint(cluster.proxy_url); !why.empty())
              complain("proxy-url", why);
            check_base64(complain, "certificate-authority-data", cluster.authority);
            const bool file = !cluster.authority_file.empty(), data = !cluster.authority.empty();
            if (file && data) complain("certificate-authority", "cannot stand beside certificate-authority-data");
            if (cluster.insecure && (file || data))
              complain("insecure-skip-tls-verify", "cannot stand beside certificates to trust");
          });
  return schema;
}

// How a user logs in is one way, beside a client certificate.
void check_user(const User& user, const Complain& complain) {
  if (!user.exec.is_null())
    complain("exec",
             "names a program that gives credentials, which the agent does not run; give a token, a tokenFile that "
             "something else renews, or a client certificate");
  if (!user.auth_provider.is_null())
    complain("auth-provider",
             "is a plugin of kubectl, which the agent has not; give a token, a tokenFile or a client "
             "certificate");
  for (const auto& [key, value] : {std::pair{"as", &user.as},
                                   {"as-uid", &user.as_uid},
                                   {"as-groups", &user.as_groups},
                                   {"as-user-extra", &user.as_extra}})
    if (!value->is_null()) complain(key, "is not done: the agent acts as the user itself; give one with few rights");
  const bool token = !user.token.empty() || !user.token_file.empty();
  if (token && !user.username.empty()) complain("username", "cannot stand beside a token");
  if (user.username.empty() && !user.password.empty()) complain("password", "needs a username");
  if (const std::string why = config::header_complaint("Authorization", user.token.reveal()); !why.empty())
    complain("token", why);
  check_base64(complain, "client-certificate-data", user.certificate);
  check_base64(complain, "client-key-data", user.key.reveal());
  if (!user.certificate_file.empty() && !user.certificate.empty())
    complain("client-certificate", "cannot stand beside client-certificate-data");
  if (!user.key_file.empty() && !user.key.empty()) complain("client-key", "cannot stand beside client-key-data");
  const bool certificate = !user.certificate_file.empty() || !user.certificate.empty();
  if (certificate != (!user.key_file.empty() || !user.key.empty()))
    complain(certificate ? "" : "client-key",
             certificate ? "has a client certificate without its key" : "needs a client certificate");
}

const config::Schema<User>& user_schema() {
  static const auto schema =
      config::Schema<User>("user")
          .optional("token", &User::token, "Token to send.")
          .optional("tokenFile", &User::token_file, "File with the token; goes before token.")
          .optional("client-certificate", &User::certificate_file, "File with the client certificate.")
          .optional("client-certificate-data", &User::certificate, "Client certificate, PEM in base64.")
          .optional("client-key", &User::key_file, "File with its key.")
          .optional("client-key-data", &User::key, "Its key, PEM in base64.")
          .optional("username", &User::username, "User to log in as.")
          .optional("password", &User::password, "The user's password.")
          .optional("exec", &User::exec, "Program that gives credentials.")
          .optional("auth-provider", &User::auth_provider, "Plugin that gives credentials.")
          .optional("as", &User::as, "User to act as.")
          .optional("as-uid", &User::as_uid, "UID to act as.")
          .optional("as-groups", &User::as_groups, "Groups to act as.")
          .optional("as-user-extra", &User::as_extra, "More of the user to act as.")
          .check(check_user);
  return schema;
}

// The mapping `inner` of the first item of `list` with this name, and its path. `asked` is where the name stands.
struct Entry {
  Node node;
  std::string path;
};
std::optional<Entry> entry_of(const Node& root, const std::string& list, const char* inner, const Node& asked,
                              const std::string& asked_path, const std::string& path, config::Errors& errors) {
  std::string names;
  std::size_t at = 0;
  for (const Node& item : root.find(list).items()) {
    const std::string name = item.find("name").scalar();
    if (name == asked.scalar()) {
      std::string place = fmt::format("{}.{}[{}].{}", path, list, at, inner);
      const Node found = item.find(inner);
      if (found.is_mapping()) return Entry{found, std::move(place)};
      errors.add(item.mark(), place, config::expected("a mapping", found));
      return std::nullopt;
    }
    names += (names.empty() ? "" : ", ") + name;
    ++at;
  }
  errors.add(asked.mark(), asked_path,
             fmt::format("'{}' is not in {}, {}", asked.scalar(), list,
                         names.empty() ? "which has nothing" : "which has " + names));
  return std::nullopt;
}

// What only the TLS library finds in the certificates that stand in the file, in this file's words.
void check_pem(const net::TlsSettings& tls, const Entry& cluster, const std::optional<Entry>& user,
               config::Errors& errors) {
  const auto made = net::TlsContext::get(tls);
  if (made) return;
  struct Word {
    std::string_view before;
    const char* key;
  };
  static constexpr std::array kWords{Word{"cert ", "client-certificate-data"}, Word{"key ", "client-key-data"}};
  const std::string& text = made.error().text;
  for (const Word& word : kWords)
    if (user && text.starts_with(word.before))
      return errors.add(user->node.find(word.key).mark(), user->path + "." + word.key, text.substr(word.before.size()));
  errors.add(cluster.node.find("certificate-authority-data").mark(), cluster.path + ".certificate-authority-data",
             "has no PEM in it that can be used");
}

}  // namespace

ApiServer parse_kubeconfig(std::string_view text, const std::string& file, const std::string& path,
                           config::Errors& errors) {
  const std::size_t before = errors.size();
  ApiServer server;
  const Node root = Node::parse(text, file, errors);
  const config::Mark top{file, 1, 1};
  const auto add = [&](const Node& at, const std::string& where, std::string_view what) {
    errors.add(at.is_null() ? top : at.mark(), where, what);
  };
  if (errors.size() > before || !root.is_mapping()) {
    add(root, path, "is no kubeconfig: a mapping of clusters, users, contexts and current-context");
    return server;
  }
  const Node current = root.find("current-context");
  if (current.scalar().empty()) {
    add(current, path + ".current-context", "names no context; kubectl config use-context writes it");
    return server;
  }
  const auto context = entry_of(root, "contexts", "context", current, path + ".current-context", path, errors);
  if (!context) return server;
  const auto named = [&](const char* list, const char* key) {
    return entry_of(root, list, key, context->node.find(key), context->path + "." + key, path, errors);
  };
  const auto cluster_entry = named("clusters", "cluster");
  const bool anonymous = context->node.find("user").scalar().empty();
  const auto user_entry = anonymous ? std::nullopt : named("users", "user");
  Cluster cluster;
  User user;
  if (cluster_entry) cluster = cluster_schema().parse_beside(cluster_entry->node, cluster_entry->path, errors);
  if (user_entry) user = user_schema().parse_beside(user_entry->node, user_entry->path, errors);
  if (errors.size() > before || !cluster_entry) return server;

  const auto beside = [&](const std::string& name) {
    return name.empty() ? name : (std::filesystem::path(file).parent_path() / name).string();
  };
  HttpConfig http;
  http.tls_config = {.ca = *decoded(cluster.authority),
                     .ca_file = beside(cluster.authority_file),
                     .cert = *decoded(user.certificate),
                     .cert_file = beside(user.certificate_file),
                     .key = base::Secret(*decoded(user.key.reveal())),
                     .key_file = beside(user.key_file),
                     .server_name = cluster.tls_server_name,
                     .insecure_skip_verify = cluster.insecure};
  http.proxy.proxy_url = cluster.proxy_url;
  const std::string token_file = beside(user.token_file);
  const base::Secret& token = token_file.empty() ? user.token : base::Secret();
  if (!token.empty() || !token_file.empty())
    http.authorization = Authorization{.credentials = token, .credentials_file = token_file};
  if (!user.username.empty()) http.basic_auth = BasicAuth{user.username, "", user.password, ""};
  check_pem(http.tls_config, *cluster_entry, user_entry, errors);
  if (errors.size() > before) return server;

  server.address.url = cluster.server;
  while (server.address.url.ends_with('/')) server.address.url.pop_back();
  server.secrets.add(user.token.reveal());
  if (!token_file.empty()) server.secrets.add_file(token_file);
  if (!user.username.empty()) server.secrets.add_login({user.username, "", user.password.reveal(), ""});
  server.secrets.add(user.password.reveal());
  for (const std::string& url : {cluster.server, cluster.proxy_url})
    for (const std::string& secret : base::secrets_in(url)) server.secrets.add(secret);
  server.client.emplace(std::move(http), cluster_entry->node, path, errors);
  return server;
}

KubeconfigFile::KubeconfigFile(std::string file, const Node& node, const std::string& path, config::Errors& errors)
    : file_(std::move(file)), path_(path), tried_(base::version_of(file_)) {
  const auto text = base::read_file(file_, kLargest);
  if (!text) {
    errors.warn(node.mark(), path, text.error().text + "; what is asked fails until that is mended");
    be_without(text.error().text);
    return;
  }
  const std::size_t before = errors.size();
  ApiServer server = parse_kubeconfig(*text, file_, path_, errors);
  if (errors.size() > before) be_without(file_ + " has mistakes");
  else take(std::move(server));
}

const ApiServer& KubeconfigFile::server() {
  const base::FileVersion now = base::version_of(file_);
  if (now == tried_) return server_;
  tried_ = now;
  const auto text = base::read_file(file_, kLargest);
  config::Errors errors;
  ApiServer server;
  if (text) server = parse_kubeconfig(*text, file_, path_, errors);
  const std::string why = !text ? text.error().text : errors.empty() ? "" : errors.lines().front();
  if (why.empty()) {
    take(std::move(server));
    base::log::info("a changed kubeconfig file was read again", {{"file", file_}});
  } else if (server_.trouble.empty()) {
    base::log::warn("a changed kubeconfig file cannot be used; what was read before stays in use",
                    {{"file", file_}, {"error", why}});
  } else {
    be_without(why);
    base::log::warn("a kubeconfig file cannot be used", {{"file", file_}, {"error", why}});
  }
  return server_;
}

void KubeconfigFile::take(ApiServer server) {
  const base::KnownSecrets own = server.secrets;
  server.secrets.add(before_);
  server_ = std::move(server);
  before_ = own;
}

void KubeconfigFile::be_without(const std::string& why) { server_ = ApiServer{.address = {file_, ""}, .trouble = why}; }

}  // namespace http
