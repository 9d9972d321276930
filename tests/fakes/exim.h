// The settings of a real Exim in a folder of the test's own.
#pragma once

#include <doctest/doctest.h>
#include <pwd.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace fakes {

// The user that Exim runs as, if the test runs as root.
inline constexpr const char* kEximUser = "nobody";

// The user that starts it: only that one may run it as a daemon, and it has no rights to become another.
inline const passwd& exim_owner() {
  const passwd* const owner = ::geteuid() == 0 ? ::getpwnam(kEximUser) : ::getpwuid(::geteuid());
  REQUIRE(owner != nullptr);
  return *owner;
}

// Writes exim.conf: `main` is further settings, `sections` all that begins with "begin". The certificate is server.pem
// with server.key in the folder.
inline void write_exim_settings(const std::string& at, const std::string& main, const std::string& sections) {
  const passwd& owner = exim_owner();
  std::ofstream(at + "/exim.conf") << R"(primary_hostname = mail.test
exim_user = )" << owner.pw_uid << R"(
exim_group = )" << owner.pw_gid << R"(
never_users =
spool_directory = )" << at << R"(/spool
log_file_path = )" << at << R"(/log_%slog
pid_file_path = )" << at << R"(/pid
tls_advertise_hosts = *
tls_certificate = )" << at << R"(/server.pem
tls_privatekey = )" << at << R"(/server.key
acl_smtp_rcpt = recipients
host_lookup =
rfc1413_hosts =
keep_environment =
)" << main << sections;
}

}  // namespace fakes
