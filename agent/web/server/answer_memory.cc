#include "web/server/answer_memory.h"

#include <algorithm>

#include "base/memory.h"
#include "web/server/wait.h"

namespace web {
namespace {

// Answers of this size and more leave free pages between what others still use.
constexpr std::size_t kLarge = 4 * 1024 * 1024;
constexpr std::size_t kTrimAfter = 32 * 1024 * 1024;

}  // namespace

AnswerMemory::Share::~Share() {
  if (pot_) pot_->give_back(bytes_, peak_);
}

bool AnswerMemory::Share::resize(std::size_t bytes) {
  if (!pot_) return true;
  {
    const std::lock_guard lock(pot_->mutex_);
    const std::size_t others = pot_->used_ - bytes_;
    if (bytes > bytes_ && others + bytes > pot_->brim(bytes)) return false;
    pot_->used_ = others + bytes;
  }
  if (bytes < bytes_) pot_->freed_.notify_all();
  bytes_ = bytes;
  peak_ = std::max(peak_, bytes);
  return true;
}

base::Result<AnswerMemory::Share> AnswerMemory::take(std::size_t bytes, base::Instant deadline,
                                                     const std::function<bool()>& abandoned,
                                                     const std::atomic<bool>* stopping) {
  bytes = std::min(bytes, most_ / 2);
  std::unique_lock lock(mutex_);
  TRY_VOID(wait_for_turn(lock, freed_, {deadline, abandoned, stopping}, [&] { return used_ + bytes <= brim(bytes); }));
  used_ += bytes;
  return Share(this, bytes);
}

void AnswerMemory::give_back(std::size_t bytes, std::size_t peak) {
  bool trim = false;
  {
    const std::lock_guard lock(mutex_);
    used_ -= bytes;
    if (peak >= kLarge) large_since_trim_ += peak;
    if (large_since_trim_ >= kTrimAfter || (used_ == 0 && large_since_trim_ > 0)) {
      trim = true;
      large_since_trim_ = 0;
    }
  }
  freed_.notify_all();
  if (trim) base::give_back_freed_pages();
}

}  // namespace web
