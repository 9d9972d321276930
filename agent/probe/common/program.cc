#include "probe/common/program.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "loop/scheduler.h"
#include "os/program_file.h"

namespace probe {
namespace {

// A program that is not there may come yet: a run tries it, and cannot look if it does not start.
bool refused(const base::Error& error) { return error.kind != base::Kind::not_found; }

base::Error with(const char* before, base::Error error) {
  error.text.insert(0, before);
  return error;
}

}  // namespace

void check_program(const std::string& program, const config::Mark& at, const std::string& path,
                   config::Errors& errors) {
  const auto good = os::check_program(program);
  if (good) return;
  if (good.error().kind == base::Kind::invalid) errors.add(at, path, good.error().text);
  else errors.warn(at, path, good.error().text + "; until that is mended the probe is unknown");
}

loop::Handle run_program(const Context& context, os::Command command, base::Instant deadline,
                         std::function<void(base::Result<os::Finished>)> done) {
  // It may have been changed since the configuration was loaded.
  if (const auto good = os::check_program(command.argv.front()); !good && refused(good.error()))
    return context.scheduler.after(
        {}, [done = std::move(done), why = with("not run: ", good.error())] { done(tl::unexpected(why)); });
  const auto left = std::chrono::floor<base::Millis>(deadline - context.scheduler.now());
  command.limit = std::max(left, base::Millis{1});
  command.grace = base::Millis{0};
  return context.spawner.spawn(std::move(command), [done = std::move(done)](base::Result<os::Finished> finished) {
    if (finished) done(std::move(finished));
    else done(tl::unexpected(with("could not be started: ", std::move(finished).error())));
  });
}

}  // namespace probe
