#include "state/writer.h"

#include <utility>

namespace state {

Writer::Writer(DatabaseFile file, std::function<void(std::vector<Call>)> written,
               std::function<void(std::string)> troubled)
    : file_(std::move(file)),
      written_(std::move(written)),
      troubled_(std::move(troubled)),
      thread_([this] { run(); }) {}

Writer::~Writer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
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
        look();
        continue;
      }
      if (waiting_.empty()) return;
      calls.swap(waiting_);
    }
    write(calls);
    written_(std::move(calls));
  }
}

void Writer::look() {
  const std::string before = file_.trouble();
  file_.look();
  if (file_.trouble() != before) troubled_(file_.trouble());
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
