#include "state/writer.h"

#include <utility>

#include "base/thread.h"

namespace state {

Writer::Writer(DatabaseFile file, std::function<void(std::vector<Call>)> written, Seen seen)
    : file_(std::move(file)),
      written_(std::move(written)),
      seen_(std::move(seen)),
      trouble_(file_.trouble()),
      damaged_files_(file_.damage().files) {}

base::Result<> Writer::begin() {
  TRY(thread_, base::start_thread("to make records durable", [this] { run(); }));
  return {};
}

Writer::~Writer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Writer::add(Call call) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(call));
  }
  changed_.notify_one();
}

void Writer::run() {
  for (;;) {
    std::vector<Call> calls;
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait_for(lock, kLookEvery, [this] { return stopping_ || !waiting_.empty(); })) {
        lock.unlock();
        file_.look();
        tell();
        continue;
      }
      if (waiting_.empty()) break;
      calls.swap(waiting_);
    }
    write(calls);
    tell();
    written_(std::move(calls));
  }
  file_.look();  // what was lost since the last look must not be lost for the next start
}

void Writer::tell() {
  if (file_.trouble() == trouble_ && file_.damage().files == damaged_files_) return;
  trouble_ = file_.trouble();
  damaged_files_ = file_.damage().files;
  seen_(trouble_, damaged_files_);
}

void Writer::write(std::vector<Call>& calls) {
  std::vector<const std::vector<Change>*> all;
  for (const Call& call : calls) all.push_back(&call.changes);
  if (const base::Result<> together = file_.apply(all); together || calls.size() == 1) {
    for (Call& call : calls) call.result = together;
    return;
  }
  for (std::size_t i = 0; i < calls.size(); ++i) calls[i].result = file_.apply({&all[i], 1});
}

}  // namespace state
