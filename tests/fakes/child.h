// A process of the test's own that ends with it.
#pragma once

#include <doctest/doctest.h>
#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "fakes/temporary_folder.h"

namespace fakes {

// "" if the program is not installed; also looks where users do not, and where PATH says.
inline std::string find_program(const std::string& name) {
  for (const char* folder : {"/usr/bin/", "/usr/sbin/", "/usr/local/sbin/"})
    if (std::filesystem::exists(folder + name)) return folder + name;
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');)
    if (std::filesystem::exists(folder + "/" + name)) return folder + "/" + name;
  return "";
}

// Many servers refuse to be root: a test that is root gives the folder and the process to this user.
inline void give_to(const std::string& folder, const char* user) {
  if (const passwd* entry = ::geteuid() == 0 ? ::getpwnam(user) : nullptr)
    REQUIRE(::chown(folder.c_str(), entry->pw_uid, entry->pw_gid) == 0);
}

inline void give_all_to(const std::string& folder, const char* user) {
  for (const auto& entry : std::filesystem::directory_iterator(folder)) give_to(entry.path(), user);
  give_to(folder, user);
}

class Child {
 public:
  Child(std::vector<std::string> words, const std::string& log, const char* user = nullptr) {
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const passwd* entry = user && ::geteuid() == 0 ? ::getpwnam(user) : nullptr;
    pid_ = ::fork();
    if (pid_ != 0) return;
    if (std::freopen(log.c_str(), "a", stderr) == nullptr || std::freopen(log.c_str(), "a", stdout) == nullptr)
      ::_exit(126);
    if (entry && (::setgid(entry->pw_gid) != 0 || ::setuid(entry->pw_uid) != 0)) ::_exit(126);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  // A copy of this process that does this, and ends.
  explicit Child(const std::function<void()>& does) : pid_(::fork()) {
    if (pid_ != 0) return;
    does();
    ::_exit(0);
  }
  ~Child() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  pid_t pid() const { return pid_; }
  // By itself, and it is still there to be waited for.
  bool ended() const {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid_;
  }

 private:
  pid_t pid_ = 0;
};

}  // namespace fakes
