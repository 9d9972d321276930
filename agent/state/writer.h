// The thread that writes: takes the calls that wait, makes them durable in one transaction, hands them back in order.
// A transaction that fails is tried again call by call, so that each stands or falls alone. While nothing waits, it
// looks now and then whether the file is still there.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "state/database_file.h"
#include "state/state.h"

namespace state {

struct Call {
  std::uint64_t number = 0;
  std::vector<Change> changes;
  std::function<void(base::Result<>)> durable;
  base::Result<> result;  // once written
  base::Instant asked{};
};

class Writer {
 public:
  static constexpr std::chrono::seconds kLookEvery{2};

  // `written` is called on the writer's thread with calls in the order of add(), `seen` there, too, before it, if
  // DatabaseFile::trouble() or the count of damaged files is another one.
  using Seen = std::function<void(std::string trouble, std::size_t damaged_files)>;
  Writer(DatabaseFile file, std::function<void(std::vector<Call>)> written, Seen seen);
  base::Result<> begin();  // Kind::limit: there is no thread for it
  ~Writer();               // writes what waits, then ends the thread and closes the file
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void add(Call call);

 private:
  void run();
  void tell();
  void write(std::vector<Call>& calls);

  DatabaseFile file_;  // the thread's own while it runs
  const std::function<void(std::vector<Call>)> written_;
  const Seen seen_;
  std::string trouble_;  // as it was told last, and so the next
  std::size_t damaged_files_;
  std::mutex mutex_;  // guards the two below
  std::vector<Call> waiting_;
  bool stopping_ = false;
  std::condition_variable changed_;
  std::thread thread_;  // from begin() on
};

}  // namespace state
