// `fettle top`: the services and probes of a running agent, drawn again and again until q is pressed.
#pragma once

#include <cstddef>
#include <string>

#include "base/terminal.h"
#include "base/time.h"

namespace cli {

struct TopView {
  std::size_t columns = 80, lines = 24;
  bool with_probes = true;
  std::size_t first_row = 0;  // scrolled so far
  base::Colour colour = base::Colour::never;
};

// One picture, from the answers of /api/v1/services and /api/v1/alerts: what is down first. No line is wider than the
// view, and there are no more of them than it has. An answer that is not an agent's gives a picture that says so.
std::string top_frame(const std::string& services, const std::string& alerts, const TopView& view);

// Until q or Ctrl-C; keys: p (probes), j, k (scroll). One picture if standard output is no terminal. 0; 2: no answer to
// the first question (later ones are waited for).
int run_top(const std::string& url, base::Millis refresh);

}  // namespace cli
