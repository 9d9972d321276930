// The other side of every probe of this comparison: processes of their own, which count for nobody, and what the CPU
// clocks say about a process.
#pragma once

#include <sys/types.h>

#include <string>

namespace bench {

// Says what a system call refused, and ends the program.
[[noreturn]] void die(const std::string& what);

// CPU time of this process, with all its threads, in seconds; and of its children that ended and were waited for.
double own_cpu_seconds();
double ended_children_cpu_seconds();

// A process that ends with us.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();
  double cpu_seconds() const;

 private:
  pid_t pid_;
};

// Answers each request with a small JSON document: closes after a request that asks for it, else keeps the connection.
pid_t start_http_target(int& port);

// The same over TLS, with a certificate for 127.0.0.1 that `authority` (a path) signs for: itself.
pid_t start_https_target(const std::string& authority, int& port);

}  // namespace bench
