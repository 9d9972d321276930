#include "app/store_reader.h"

#include <algorithm>

#include "promql/queryable.h"

namespace app {
namespace {

// Series in one part of the work: their samples may be spread over the memory.
constexpr std::size_t kPart = 32;
constexpr store::SeriesId kListPart = 256;

}  // namespace

void StoreReader::list(std::function<void(SeriesList)> done) {
  struct Work {
    std::vector<promql::SeriesRef> found;
    store::SeriesId next = 0;
    std::uint64_t generation = 0;
  };
  turns_.add([this, work = std::make_shared<Work>(), done = std::move(done)] {
    if (list_ && list_generation_ == store_.generation()) return done(list_), false;
    if (work->next == 0) work->generation = store_.generation();
    const store::SeriesId end = std::min(work->next + kListPart, store_.end());
    for (; work->next < end; ++work->next)
      if (const model::Labels* labels = store_.labels(work->next)) work->found.push_back({work->next, *labels});
    if (work->next < store_.end()) return true;
    const auto found = std::make_shared<const std::vector<promql::SeriesRef>>(std::move(work->found));
    if (work->generation == store_.generation()) {
      list_ = found;
      list_generation_ = work->generation;
    }
    done(found);
    return false;
  });
}

// Calls each(place, span) for all of them, a part in each turn of the work.
template <typename Each, typename Done>
void StoreReader::each_span(std::shared_ptr<const Spans> spans, Each each, Done done) {
  turns_.add(
      [spans = std::move(spans), each = std::move(each), done = std::move(done), next = std::size_t{0}]() mutable {
        const std::size_t end = std::min(next + kPart, spans->size());
        for (; next < end; ++next) each(next, (*spans)[next]);
        if (next < spans->size()) return true;
        done();
        return false;
      });
}

void StoreReader::measure(std::shared_ptr<const Spans> spans, std::function<void(web::Load)> done) {
  const auto load = std::make_shared<web::Load>();
  each_span(
      std::move(spans),
      [this, load](std::size_t, const Span& span) {
        const store::Series::Extent extent = store_.extent(span.id, span.labels, span.from, span.to);
        ++load->series;
        load->samples += extent.samples;
        load->bytes += sizeof(StoreView::Entry) + extent.bytes;
      },
      [load, done = std::move(done)] { done(*load); });
}

void StoreReader::copy(std::shared_ptr<const Spans> spans, std::function<void(std::vector<StoreView::Entry>)> done) {
  const auto entries = std::make_shared<std::vector<StoreView::Entry>>();
  each_span(
      std::move(spans),
      [this, entries](std::size_t, const Span& span) {
        std::vector<store::Chunk> chunks = store_.chunks(span.id, span.labels, span.from, span.to);
        if (!chunks.empty()) entries->push_back({span.labels, std::move(chunks)});
      },
      [entries, done = std::move(done)] { done(std::move(*entries)); });
}

void StoreReader::alive(std::shared_ptr<const Spans> spans, std::function<void(std::vector<std::size_t>)> done) {
  const auto places = std::make_shared<std::vector<std::size_t>>();
  each_span(
      std::move(spans),
      [this, places](std::size_t place, const Span& span) {
        const model::Labels* labels = store_.labels(span.id);
        model::Sample last;
        if (!labels || *labels != span.labels || !store_.last_at(span.id, span.from, span.to, last)) return;
        // It ended in this time; did it live in it?
        model::Sample before;
        if (model::is_stale(last.v) && !store_.last_at(span.id, span.from, last.t - 1, before)) return;
        places->push_back(place);
      },
      [places, done = std::move(done)] { done(std::move(*places)); });
}

}  // namespace app
