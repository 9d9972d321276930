// The loop's half of reading the store for others: each request is served a few series at a time, in the turns that all
// requests share. `done` runs on the loop thread; requests come from any thread.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "app/store_view.h"
#include "app/turns.h"
#include "store/store.h"

namespace app {

class StoreReader {
 public:
  StoreReader(const store::Store& store, loop::Scheduler& loop) : store_(store), turns_(loop) {}

  void list(std::function<void(SeriesList)> done);
  // What a view of these spans costs.
  void measure(std::shared_ptr<const Spans> spans, std::function<void(web::Load)> done);
  // Series that have gone in the meantime are left out.
  void copy(std::shared_ptr<const Spans> spans, std::function<void(std::vector<StoreView::Entry>)> done);
  // The places of those that have a sample in their span and not only the marker of an earlier end.
  void alive(std::shared_ptr<const Spans> spans, std::function<void(std::vector<std::size_t>)> done);

 private:
  template <typename Each, typename Done>
  void each_span(std::shared_ptr<const Spans> spans, Each each, Done done);

  const store::Store& store_;
  Turns turns_;
  // Both the loop's: the list that was made last, right as long as the generation is this one.
  SeriesList list_;
  std::uint64_t list_generation_ = 0;
};

}  // namespace app
