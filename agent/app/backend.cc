#include "app/backend.h"

#include "base/time.h"
#include "promql/queryable.h"

namespace app {

base::Result<std::unique_ptr<promql::Queryable>> Backend::read_samples(const std::vector<promql::Needs>& needs,
                                                                       std::int64_t start, std::int64_t end,
                                                                       web::Asker& asker) {
  using Entries = std::vector<StoreView::Entry>;
  TRY(const SeriesList all, questions_.ask<SeriesList>([this](const auto& done) { reader_.list(done); }));
  TRY(Spans found, spans_of(all, needs, start, end, asker));
  const auto spans = std::make_shared<const Spans>(std::move(found));
  TRY(const web::Load load,
      questions_.ask<web::Load>([this, spans](const auto& done) { reader_.measure(spans, done); }));
  TRY_VOID(asker.admit(load));
  TRY(Entries entries, questions_.ask<Entries>([this, spans](const auto& done) { reader_.copy(spans, done); }));
  return std::make_unique<StoreView>(std::move(entries));
}

base::Result<std::vector<model::Labels>> Backend::select_series(const std::vector<std::vector<model::Matcher>>& sets,
                                                                std::int64_t start, std::int64_t end,
                                                                web::Asker& asker) {
  using Positions = std::vector<std::size_t>;
  TRY(const SeriesList all, questions_.ask<SeriesList>([this](const auto& done) { reader_.list(done); }));
  TRY(Spans found, spans_of(all, sets, start, end, asker));
  const auto spans = std::make_shared<const Spans>(std::move(found));
  web::Load load{spans->size(), 0, 0};
  for (const Span& span : *spans)
    for (const model::Label label : span.labels) load.bytes += label.name.size() + label.value.size();
  TRY_VOID(asker.admit(load));
  TRY(const Positions positions,
      questions_.ask<Positions>([this, spans](const auto& done) { reader_.alive(spans, done); }));
  std::vector<model::Labels> out;
  out.reserve(positions.size());
  for (const std::size_t position : positions) out.push_back((*spans)[position].labels);
  return out;
}

base::Result<> Backend::heartbeat(const std::string& service, bool failed, std::string text) {
  return questions_.ask<void>([=, this](const auto& done) { done(parts_.heartbeat(service, failed, text)); });
}

base::Result<std::string> Backend::fleet_entries() {
  return questions_.ask<std::string>([this](const auto& done) { done(parts_.fleet_entries()); });
}

void Backend::probe(const web::ProbeQuestion& question, std::function<void(base::Result<web::ProbeAnswer>)> done) {
  questions_.ask_later<web::ProbeAnswer>([this, question](const auto& answer) { parts_.probes.run(question, answer); },
                                         std::move(done));
}

base::Result<std::string> Backend::change(const web::Asked& asked, Change what) {
  return questions_.ask<std::string>([this, asked, what = std::move(what)](const auto& done) {
    what(parts_.admin, [this, asked, done](base::Result<std::string> answer) {
      parts_.note_change(asked, answer);
      done(std::move(answer));
    });
  });
}

base::Result<std::vector<model::AuditEntry>> Backend::audit(const web::AuditQuestion& question) {
  using Entries = std::vector<model::AuditEntry>;
  return questions_.ask<Entries>([this, question](const auto& done) { done(parts_.audit(question)); });
}

}  // namespace app
