#include "app/silence_desk.h"

#include <utility>

#include "base/log.h"

namespace app {

void open_silence_desk(LoopSide& side, notify::Silences& silences, std::function<void()> shown) {
  side.add_silence = [&silences, shown](const model::SilenceRequest& request, auto done) {
    silences.add(request, [shown, done = std::move(done), request](base::Result<std::string> id) {
      if (id)
        base::log::info("silence added", {{"id", *id},
                                          {"matchers", model::to_string(request.matchers)},
                                          {"author", request.author},
                                          {"comment", request.comment}});
      shown();
      done(std::move(id));
    });
  };
  side.expire_silence = [&silences, shown](const std::string& id, auto done) {
    silences.expire(id, [shown, done = std::move(done), id](base::Result<> expired) {
      if (expired) base::log::info("silence expired", {{"id", id}});
      shown();
      done(std::move(expired));
    });
  };
}

// Alerts are matched as receivers see them: with the external labels.
void add_silences(SnapshotFacts& facts, const notify::Silences& silences) {
  facts.silences = silences.list();
  const model::Labels& external = facts.config.global.external_labels;
  for (const model::Alert& alert : facts.alerts)
    if (auto ids = silences.of(external.merged(alert.labels)); !ids.empty())
      facts.silenced_by.emplace(alert.labels, std::move(ids));
}

}  // namespace app
