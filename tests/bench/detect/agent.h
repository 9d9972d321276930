// The real agent as this bench runs it: a folder with its configuration, its log on a pipe, its pages over HTTP.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

namespace bench {

void write_text(const std::string& path, const std::string& text);
int free_port();

struct Scheduling {
  int nice = 0;
  std::string cgroup;  // folder to be a member of; "": none
};

class Agent {
 public:
  // Runs `fettle agent` on FOLDER/fettle.yml.
  Agent(const std::string& fettle, const std::string& folder, const Scheduling& scheduling);
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;
  ~Agent();

  pid_t pid() const { return pid_; }
  std::string get(const std::string& path) const;
  // Asks until `holds` accepts the answer; ends the program after 20 s.
  template <typename Holds>
  void wait_for(const std::string& path, const char* what, Holds holds) const {
    for (const long long end = deadline(); !holds(get(path));) pause_until(end, what);
  }
  // Reads its log up to the line that has all of these; gives the instant at which the line came, in nanoseconds of the
  // monotonic clock. Lines that came before are gone afterwards.
  long long wait_for_line(std::string_view first, std::string_view second, std::string& line);
  void forget_lines();  // that came so far

 private:
  static long long deadline();
  static void pause_until(long long end, const char* what);

  pid_t pid_ = 0;
  int port_ = 0;
  int log_ = -1;
  std::string unread_;
};

}  // namespace bench
