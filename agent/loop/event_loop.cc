#include "loop/event_loop.h"

#include <event2/event.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <ctime>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/unique_fd.h"
#include "loop/timer_heap.h"

namespace loop {
namespace {

// A stall that is shorter than this is the ordinary life of a process among others.
constexpr base::Duration kNotable = std::chrono::milliseconds{20};

struct FreeBase {
  void operator()(event_base* base) const { event_base_free(base); }
};
struct FreeEvent {
  void operator()(event* e) const { event_free(e); }
};

// The change list takes EBADF and ENOENT for what they are: the owner closed the descriptor first.
event_base* make_base(EpollChanges changes) {
  event_config* config = event_config_new();
  CHECK(config != nullptr);
  if (changes == EpollChanges::together) event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
  event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
  event_base* base = event_base_new_with_config(config);
  event_config_free(config);
  return base;
}

}  // namespace

struct EventLoop::Core {
  class Watch;

  explicit Core(EpollChanges changes);
  ~Core();
  void turn();
  void run_due();
  void run_posted();
  void arm();  // the timerfd to the first timer
  bool work_waits();
  void begin_work();
  void end_turn();

  std::unique_ptr<event_base, FreeBase> base;
  base::UniqueFd wake{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  base::UniqueFd clock{timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)};
  Handle wake_watch, clock_watch;
  TimerHeap timers;
  base::Instant armed{};  // what the timerfd stands at; {} if disarmed

  std::mutex mutex;  // guards posted and woken
  std::vector<Task> posted;
  bool woken = false;  // the eventfd was written and not yet read

  std::atomic<bool> stopped{false};
  std::atomic<std::thread::id> thread{std::this_thread::get_id()};
  Task after_turn;
  base::Instant turn_began{};                     // {}: nothing ran in this turn yet
  base::Instant turn_ended = base::Clock::now();  // the last one
  base::Duration longest{};
  base::Duration stalled{};
};

class EventLoop::Core::Watch final : public Registration {
 public:
  Watch(Core& core, int fd, Ready want, std::function<void(Ready)> on_ready)
      : core_(core), on_ready_(std::move(on_ready)) {
    const int what = EV_PERSIST | (want.read ? EV_READ : 0) | (want.write ? EV_WRITE : 0);
    event_.reset(event_new(core.base.get(), fd, static_cast<short>(what), &Watch::on_event, this));
    CHECK(event_ != nullptr);
    // What epoll refuses (a plain file, no memory) is told as ready once: the owner's own call then meets the error.
    if (event_add(event_.get(), nullptr) != 0) event_active(event_.get(), what & (EV_READ | EV_WRITE), 0);
  }
  ~Watch() override {
    if (dropped_ != nullptr) *dropped_ = true;
  }

 private:
  static void on_event(evutil_socket_t, short what, void* self) { static_cast<Watch*>(self)->tell(what); }

  void tell(int what) {
    core_.begin_work();
    bool dropped = false;
    dropped_ = &dropped;
    // The function leaves the object while it runs, so that it may drop its own Handle.
    std::function<void(Ready)> running = std::move(on_ready_);
    running(Ready{.read = (what & EV_READ) != 0, .write = (what & EV_WRITE) != 0});
    if (dropped) return;
    dropped_ = nullptr;
    on_ready_ = std::move(running);
  }

  Core& core_;
  std::function<void(Ready)> on_ready_;
  std::unique_ptr<event, FreeEvent> event_;
  bool* dropped_ = nullptr;
};

EventLoop::Core::Core(EpollChanges changes) : base(make_base(changes)) {
  CHECK(base != nullptr);
  CHECK(wake);
  CHECK(clock);
  // A peer that closed is an error code for whoever writes, not the end of the agent.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow (LimitFSIZE=) is an error of write, as a full disk is
  event_set_log_callback([](int, const char*) {});
  wake_watch = Handle(std::make_unique<Watch>(*this, wake.value(), Ready{.read = true}, [this](Ready) {
    std::uint64_t count = 0;
    const std::lock_guard lock(mutex);
    while (::read(wake.value(), &count, sizeof count) > 0) {
    }
    woken = false;
  }));
  // Nothing to do: due timers run in every turn, and arming anew makes the descriptor quiet.
  clock_watch = Handle(std::make_unique<Watch>(*this, clock.value(), Ready{.read = true}, [](Ready) {}));
}

EventLoop::Core::~Core() {
  // Tasks may own Handles of this loop: they go while everything is still there.
  after_turn = nullptr;
  std::vector<Task> left;
  {
    const std::lock_guard lock(mutex);
    left.swap(posted);
  }
}

void EventLoop::Core::arm() {
  const TimerHeap::Timer* first = timers.first();
  const base::Instant want = first != nullptr ? first->when() : base::Instant{};
  // A later first timer leaves the descriptor as it is: one wake-up too many is cheaper than a call for each
  // deadline that never comes.
  const bool due_passed = armed != base::Instant{} && armed <= base::Clock::now();
  if (want == base::Instant{} ? !due_passed : (armed != base::Instant{} && armed <= want && !due_passed)) return;
  itimerspec spec{};
  if (want != base::Instant{}) {
    const auto since = std::max(want.time_since_epoch(), base::Duration{1});
    spec.it_value.tv_sec = std::chrono::floor<std::chrono::seconds>(since).count();
    spec.it_value.tv_nsec = (since % std::chrono::seconds{1}).count();
  }
  CHECK(timerfd_settime(clock.value(), TFD_TIMER_ABSTIME, &spec, nullptr) == 0);
  armed = want;
}

bool EventLoop::Core::work_waits() {
  if (const TimerHeap::Timer* first = timers.first(); first != nullptr && first->when() <= base::Clock::now())
    return true;
  const std::lock_guard lock(mutex);
  return !posted.empty();
}

// Before anything runs in a turn: a first timer that is overdue says how long the turn itself was overdue.
void EventLoop::Core::begin_work() {
  if (turn_began != base::Instant{}) return;
  turn_began = base::Clock::now();
  const TimerHeap::Timer* first = timers.first();
  if (first == nullptr) return;
  const base::Duration late = turn_began - std::max(first->when(), turn_ended);
  if (late >= kNotable) stalled += late;
}

void EventLoop::Core::run_due() {
  const TimerHeap::Timer* first = timers.first();
  if (first == nullptr) return;
  const base::Instant now = base::Clock::now();
  const std::uint64_t newest = timers.next_number();  // what callbacks arm waits for the next turn
  while ((first = timers.first()) != nullptr && first->when() <= now && first->number() < newest) {
    begin_work();
    const Task task = timers.take_first();
    task();
  }
}

void EventLoop::Core::run_posted() {
  std::vector<Task> batch;
  {
    const std::lock_guard lock(mutex);
    batch.swap(posted);
  }
  for (Task& task : batch) {
    begin_work();
    // Each goes as soon as it ran, with all that it holds.
    const Task running = std::move(task);
    running();
  }
}

void EventLoop::Core::end_turn() {
  if (turn_began == base::Instant{}) return;
  if (after_turn) after_turn();
  turn_ended = base::Clock::now();
  const base::Duration took = turn_ended - turn_began;
  longest = std::max(longest, took);
  if (took >= kNotable) stalled += took;
  turn_began = {};
}

void EventLoop::Core::turn() {
  int flags = EVLOOP_ONCE;
  if (work_waits()) flags |= EVLOOP_NONBLOCK;
  else arm();
  CHECK(event_base_loop(base.get(), flags) >= 0);
  run_due();
  run_posted();
  end_turn();
}

EventLoop::EventLoop(EpollChanges changes) : core_(std::make_unique<Core>(changes)) {}
EventLoop::~EventLoop() = default;

base::Instant EventLoop::now() const { return base::Clock::now(); }

base::WallTime EventLoop::wall_now() const {
  return std::chrono::floor<base::Millis>(std::chrono::system_clock::now());
}

Handle EventLoop::at(base::Instant when, Task task) {
  return Handle(std::make_unique<TimerHeap::Timer>(core_->timers, when, std::move(task)));
}

void EventLoop::post(Task task) {
  const std::lock_guard lock(core_->mutex);
  core_->posted.push_back(std::move(task));
  // The loop's own thread looks at the queue before it sleeps.
  if (core_->woken || core_->thread.load() == std::this_thread::get_id()) return;
  core_->woken = true;
  const std::uint64_t one = 1;
  CHECK(::write(core_->wake.value(), &one, sizeof one) == sizeof one);
}

Handle EventLoop::watch(int fd, Ready want, std::function<void(Ready)> on_ready) {
  return Handle(std::make_unique<Core::Watch>(*core_, fd, want, std::move(on_ready)));
}

base::Duration EventLoop::stalled() const {
  if (core_->turn_began == base::Instant{}) return core_->stalled;
  const base::Duration so_far = base::Clock::now() - core_->turn_began;
  return core_->stalled + (so_far >= kNotable ? so_far : base::Duration{});
}

void EventLoop::run() {
  core_->thread = std::this_thread::get_id();
  while (!core_->stopped.load()) core_->turn();
  core_->stopped = false;
}

void EventLoop::stop() {
  core_->stopped = true;
  // Whoever sleeps in the kernel must look again.
  post([] {});
}

void EventLoop::set_after_turn(Task task) { core_->after_turn = std::move(task); }

base::Duration EventLoop::take_longest_turn() { return std::exchange(core_->longest, base::Duration{}); }

}  // namespace loop
