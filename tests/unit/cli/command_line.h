// Runs a command as main() does, and catches what it prints.
#pragma once

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "cli/admin.h"
#include "cli/reading.h"
#include "cli/rollout.h"
#include "cli/silence.h"

struct Printed {
  int code = 0;
  std::string out, err;
};

// What comes through one of the two standard streams while this lives.
class Captured {
 public:
  explicit Captured(std::FILE* stream) : stream_(stream), file_(std::tmpfile()) {
    std::fflush(stream_);
    before_ = base::UniqueFd(::dup(::fileno(stream_)));
    ::dup2(::fileno(file_), ::fileno(stream_));
  }
  ~Captured() {
    ::dup2(before_.value(), ::fileno(stream_));
    std::fclose(file_);
  }
  std::string text() {
    std::fflush(stream_);
    std::string out(static_cast<std::size_t>(::lseek(::fileno(file_), 0, SEEK_END)), '\0');
    if (::pread(::fileno(file_), out.data(), out.size(), 0) != static_cast<ssize_t>(out.size())) out = "cannot be read";
    return out;
  }

 private:
  std::FILE* stream_;
  std::FILE* file_;
  base::UniqueFd before_;
};

inline Printed captured(const std::function<int()>& command) {
  Captured out(stdout), err(stderr);
  Printed found;
  found.code = command();
  found.out = out.text();
  found.err = err.text();
  return found;
}

// A command that asks or changes an agent: the words after "fettle". 2 if the line is wrong.
inline int fettle(std::vector<std::string> words) {
  CLI::App top;
  top.require_subcommand(1);
  cli::Chosen chosen;
  cli::add_reading_commands(top, chosen);
  cli::add_admin_commands(top, chosen);
  cli::add_rollout_command(top, chosen);
  cli::add_silence_commands(top, chosen);
  std::reverse(words.begin(), words.end());  // as CLI11 takes them
  try {
    top.parse(words);
  } catch (const CLI::ParseError&) {
    return 2;
  }
  return chosen();
}
