// What the types that talk to a server on a port or a unix socket have in common: the keys that say where it is, how to
// speak TLS and whom to log in as, and what a run dials.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "config/schema.h"
#include "net/stream.h"
#include "net/tls/tls.h"
#include "net/tls/tls_config.h"
#include "probe/common/values.h"
#include "probe/probe.h"

namespace probe {

struct EndpointSettings {
  std::string host = "127.0.0.1";
  int port = 0;  // the type's own default
  std::string unix_socket;
  bool tls = false;
  net::TlsSettings tls_config;
  IpProtocol ip_protocol;
};

struct LoginSettings {
  std::string username;
  base::Secret password;
  std::string password_file;
  bool has_password() const { return !password.empty() || !password_file.empty(); }
};

struct EndpointHelp {
  const char* port = "Port to connect to.";
  const char* unix_socket = "Unix socket to connect to, instead of host and port.";  // null: none is offered
  const char* tls = "Speak TLS after connecting.";
};

void check_endpoint(const EndpointSettings& server, const config::Complain& complain);
void check_login(const LoginSettings& login, const config::Complain& complain);

// Add the keys to the schema of a type whose settings are derived from EndpointSettings, and from LoginSettings.
template <typename T>
void add_endpoint_keys(config::Schema<T>& schema, const EndpointHelp& help = {}) {
  using Server = EndpointSettings;
  schema.optional("host", static_cast<std::string T::*>(&Server::host), "Name or address to connect to.")
      .reach(config::Reach::listed, config::ValueFormat::host)
      .optional("port", static_cast<int T::*>(&Server::port), help.port);
  if (help.unix_socket != nullptr)
    schema.optional("unix_socket", static_cast<std::string T::*>(&Server::unix_socket), help.unix_socket)
        .reach(config::Reach::file, config::ValueFormat::path);
  schema.optional("tls", static_cast<bool T::*>(&Server::tls), help.tls)
      .optional("tls_config", static_cast<net::TlsSettings T::*>(&Server::tls_config), net::tls_schema(),
                "How to speak TLS.")
      .optional("ip_protocol", static_cast<IpProtocol T::*>(&Server::ip_protocol), "Addresses to use: any, ip4 or ip6.")
      .reach(config::Reach::listed)
      .check([](const T& settings, const config::Complain& complain) { check_endpoint(settings, complain); });
}

enum class Username { optional, required };

template <typename T>
void add_login_keys(config::Schema<T>& schema, Username username, const char* username_help,
                    const char* password_help = "Password of the user.") {
  using Login = LoginSettings;
  const auto name = static_cast<std::string T::*>(&Login::username);
  if (username == Username::required) {
    schema.required("username", name, username_help).check([](const T& login, const config::Complain& complain) {
      if (login.username.empty()) complain("username", "must not be empty");
    });
  } else {
    schema.optional("username", name, username_help);
  }
  schema.optional("password", static_cast<base::Secret T::*>(&Login::password), password_help)
      .optional("password_file", static_cast<std::string T::*>(&Login::password_file),
                "File with the password; read at each run.")
      .check([](const T& login, const config::Complain& complain) { check_login(login, complain); });
}

// What is the same for all runs.
template <typename T>
struct EndpointTarget {
  T settings;
  net::Dial dial;
  std::shared_ptr<net::TlsContext> tls;  // of a type that agrees on TLS first; `dial` has none then
  std::string target;                    // "127.0.0.1:6379", or the socket's path
};

net::Dial dial_of(const EndpointSettings& server);
std::string target_of(const EndpointSettings& server);

enum class TlsBegins { at_once, when_agreed };

template <typename T>
EndpointTarget<T> endpoint_target(T settings, TlsBegins begins, const config::Node& node, const std::string& path,
                                  config::Errors& errors) {
  EndpointTarget<T> out{std::move(settings), {}, nullptr, ""};
  out.dial = dial_of(out.settings);
  out.target = target_of(out.settings);
  if (out.settings.tls)
    (begins == TlsBegins::at_once ? out.dial.tls : out.tls) =
        net::tls_context(out.settings.tls_config, node, path, errors);
  return out;
}

}  // namespace probe
