#include "http/authorization.h"

#include <utility>

#include "base/ascii.h"
#include "base/base64.h"
#include "base/credential.h"
#include "config/request.h"

namespace http {

const config::Schema<BasicAuth>& basic_auth_schema() {
  static const auto schema =
      config::Schema<BasicAuth>("basic_auth")
          .optional("username", &BasicAuth::username, "User to log in as.")
          .optional("username_file", &BasicAuth::username_file, "File with the user's name; read at each use.")
          .optional("password", &BasicAuth::password, "The user's password.")
          .optional("password_file", &BasicAuth::password_file, "File with the password; read at each use.")
          .check([](const BasicAuth& auth, const config::Complain& complain) {
            if (auth.username.empty() == auth.username_file.empty())
              complain("username", "give either username or username_file");
            if (!auth.password.empty() && !auth.password_file.empty())
              complain("password_file", "cannot stand beside password");
          });
  return schema;
}

const config::Schema<Authorization>& authorization_schema() {
  static const auto schema =
      config::Schema<Authorization>("authorization")
          .optional("type", &Authorization::type, "The scheme, the header's first word.")
          .optional("credentials", &Authorization::credentials, "The token.")
          .optional("credentials_file", &Authorization::credentials_file, "File with the token; read at each use.")
          .check([](const Authorization& auth, const config::Complain& complain) {
            if (auth.credentials.empty() == auth.credentials_file.empty())
              complain("credentials", "give either credentials or credentials_file");
            if (base::same_word(auth.type, "Basic")) complain("type", "cannot be Basic; write basic_auth instead");
            for (const auto& [key, value] : {std::pair{"type", auth.type}, {"credentials", auth.credentials.reveal()}})
              if (const std::string why = config::header_complaint("Authorization", value); !why.empty())
                complain(key, why);
          });
  return schema;
}

base::Result<std::string> header_value(const BasicAuth& auth) {
  TRY(const std::string username, base::credential(base::Secret(auth.username), auth.username_file));
  TRY(const std::string password, base::credential(auth.password, auth.password_file));
  return "Basic " + base::base64_encode(username + ":" + password);
}

base::Result<std::string> header_value(const Authorization& auth) {
  TRY(const std::string token, base::credential(auth.credentials, auth.credentials_file));
  return auth.type + " " + token;
}

}  // namespace http
