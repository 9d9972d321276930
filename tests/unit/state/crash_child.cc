// The program that state's crash test kills: commits numbered records, some calls ahead of the disk, and prints each
// number once its call is durable.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "fakes/waiting_loop.h"
#include "state/state.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  fakes::WaitingLoop loop;
  std::string notice;
  auto opened = state::open(argv[1], loop, notice);
  if (!opened || !notice.empty()) {
    std::fprintf(stderr, "%s%s\n", notice.c_str(), opened ? "" : opened.error().text.c_str());
    return 1;
  }
  constexpr long kAhead = 6;
  long next = std::atol(argv[2]);
  long settled = next;
  for (;;) {
    while (next < settled + kAhead) {
      const std::string number = std::to_string(next);
      (*opened)->commit(
          {state::Change::put(state::Table::audit, number, std::string(static_cast<std::size_t>(next % 900), 'a')),
           state::Change::put(state::Table::budgets, "latest", number)},
          [&, number](const base::Result<>& result) {
            if (!result) std::_Exit(3);
            const std::string line = number + "\n";
            if (::write(STDOUT_FILENO, line.data(), line.size()) < 0) std::_Exit(4);
            ++settled;
          });
      ++next;
    }
    if (!loop.run_one()) return 5;
  }
}
