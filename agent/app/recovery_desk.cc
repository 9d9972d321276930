#include "app/recovery_desk.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"

namespace app {

namespace log = base::log;

// What a person changed is logged once it is durable; a refusal is the answer, and in the log of the admin socket.
void open_recovery_desk(LoopSide& side, const ServiceHealthTable& health_table, recover::Dispatcher& dispatcher,
                        const std::string& config_file, std::function<void()> changed) {
  const auto unknown = [&health_table, &config_file](const std::string& service) -> base::Result<> {
    if (health_table.knows(service)) return {};
    return base::fail(base::Kind::not_found, fmt::format("there is no service '{}' in {}", service, config_file));
  };
  side.begin_maintenance = [=, &dispatcher](const std::string& service, base::Millis length, const std::string& comment,
                                            auto done) {
    if (auto known = unknown(service); !known) return done(tl::unexpected<base::Error>(known.error()));
    const std::string lasts = length.count() > 0 ? base::format_duration(length) : "";
    dispatcher.begin_maintenance(service, length, comment, [=, done = std::move(done)](auto kept) {
      if (kept) log::info("maintenance on", {{"service", service}, {"comment", comment}, {"for", lasts}});
      done(std::move(kept));
    });
    changed();
  };
  side.end_maintenance = [=, &dispatcher](const std::string& service, auto done) {
    if (auto known = unknown(service); !known) return done(known);
    dispatcher.end_maintenance(service, [=, done = std::move(done)](base::Result<> kept) {
      if (kept) log::info("maintenance off", {{"service", service}});
      done(std::move(kept));
    });
    changed();
  };
  side.recover = [=, &dispatcher](const std::string& service, web::Rehearsal rehearsal, const std::string& comment,
                                  auto done) {
    log::info("recovery asked for", {{"service", service}, {"comment", comment}});
    dispatcher.recover(service, rehearsal == web::Rehearsal::yes ? recover::Start::rehearsal : recover::Start::now,
                       comment, std::move(done));
    changed();
  };
  side.abort = [=, &dispatcher](const std::string& service, const std::string& comment, auto done) {
    dispatcher.abort(service, comment, std::move(done));
    changed();
  };
  side.ack = [=, &dispatcher](const std::string& service, const std::string& comment, auto done) {
    dispatcher.ack(service, comment, std::move(done));
    changed();
  };
}

}  // namespace app
