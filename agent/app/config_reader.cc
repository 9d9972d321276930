#include "app/config_reader.h"

#include <signal.h>

#include <system_error>
#include <utility>

#include "app/config_lint.h"
#include "loop/scheduler.h"

namespace app {

struct ConfigReader::Read {
  LoadedConfig loaded;
  config::Errors errors;
};

ConfigReader::~ConfigReader() {
  *alive_ = false;
  if (thread_.joinable()) thread_.join();
}

void ConfigReader::read(const std::string& file, const std::string& listen_address, Done done) {
  done_ = std::move(done);
  const auto found = std::make_shared<Read>();
  auto work = [this, alive = alive_, found, file, listen_address] {
    LoadedConfig loaded = load(file, found->errors, listen_address);
    warn_of_units(loaded, unit_folders(), found->errors);
    found->loaded = without_document(std::move(loaded));
    loop_.post([this, alive, found] {
      if (*alive) came(*found);
    });
  };
  if (thread_.joinable()) thread_.join();  // it has told the last one
  sigset_t all, before;                    // signals are the loop's
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &before);
  try {
    thread_ = std::thread(work);
  } catch (const std::system_error&) {
    work();  // no thread is to be had: later is better than never
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void ConfigReader::came(Read& read) {
  const Done done = std::exchange(done_, nullptr);
  done(std::move(read.loaded), std::move(read.errors));
}

}  // namespace app
