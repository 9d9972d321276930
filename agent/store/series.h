// The samples of one series: sealed chunks, and one that is being filled. Loop thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "model/labels.h"
#include "model/sample.h"
#include "store/chunk.h"

namespace store {

class Series {
 public:
  explicit Series(model::Labels labels) : labels_(std::move(labels)) {}

  const model::Labels& labels() const { return labels_; }
  std::size_t samples() const { return samples_; }
  // Without the labels, near enough.
  std::size_t bytes() const { return sizeof(Series) + sealed_bytes_ + open_.bytes(); }
  bool empty() const { return samples_ == 0; }
  model::Sample newest() const { return open_.newest(); }  // unless empty()

  // `sample` is newer than newest(). A chunk is closed when it is full or spans `longest` milliseconds. A row of
  // samples that are all as expected stays one chunk, however long it is.
  void append(model::Sample sample, std::int64_t longest);
  // Gives the newest sample another value.
  void replace_newest(double value) { open_.replace_last(value); }
  void read(std::int64_t from, std::int64_t to, std::vector<model::Sample>& out) const;
  bool last_at(std::int64_t not_before, std::int64_t at, model::Sample& out) const;
  // The chunks with a sample in [from, to], the last of them as it is now.
  std::vector<Chunk> chunks(std::int64_t from, std::int64_t to) const;
  // What chunks() would give: samples, those at the edges included, and bytes.
  struct Extent {
    std::size_t samples = 0, bytes = 0;
  };
  Extent extent(std::int64_t from, std::int64_t to) const;
  // Moves all samples in time.
  void shift(std::int64_t by);
  // Drops the chunks whose samples are all older than `cutoff`, and what is older of a chunk that is one row. Returns
  // how many samples went.
  std::size_t expire(std::int64_t cutoff);

 private:
  std::vector<Chunk>::const_iterator first_from(std::int64_t from) const;

  model::Labels labels_;
  std::vector<Chunk> sealed_;  // oldest first
  ChunkWriter open_;           // the newest; empty only in an empty series
  std::uint32_t samples_ = 0;
  std::uint32_t sealed_bytes_ = 0;
};

}  // namespace store
