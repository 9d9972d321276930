#include "model/evidence.h"

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

using model::FaultKind;
using model::FaultSigns;
using model::Reason;
using model::Wait;

namespace {

struct Row {
  const char* what;
  FaultKind kind;
  std::function<void(FaultSigns&)> change;
  const char* why;  // stands in it
};

void put(FaultSigns& signs, Wait wait, std::size_t threads) { signs.threads[static_cast<std::size_t>(wait)] = threads; }

// A process of three threads that is there and does not answer.
FaultSigns silent() {
  FaultSigns signs;
  signs.reason = Reason::read_timeout;
  signs.looked = signs.process = true;
  signs.unit_result = "success";
  return signs;
}

const std::vector<Row> kRows = {
    {"a dependency is down, and so is the process", FaultKind::dependency,
     [](FaultSigns& s) { s.dependency = "db does not answer: refused", s.process = false; }, "db does not answer"},
    {"the kernel killed it", FaultKind::leak, [](FaultSigns& s) { s.unit_result = "oom-kill", s.process = false; },
     "memory"},
    {"the kernel killed a worker of it", FaultKind::leak, [](FaultSigns& s) { s.oom_kills = 2; }, "killed 2"},
    {"its memory is full", FaultKind::leak,
     [](FaultSigns& s) {
       s.levels = {{"tasks", 3, 100}, {"memory", 91, 100}};
     },
     "memory: 91 of 100"},
    {"its memory is not full", FaultKind::hang,
     [](FaultSigns& s) {
       s.levels = {{"memory", 89, 100}};
     },
     ""},
    {"its memory has no limit", FaultKind::hang,
     [](FaultSigns& s) {
       s.levels = {{"memory", 89, 0}};
     },
     ""},
    {"it exited", FaultKind::crash,
     [](FaultSigns& s) { s.unit_result = "exit-code", s.process = false, s.reason = Reason::refused; }, "exit-code"},
    {"it was killed", FaultKind::crash,
     [](FaultSigns& s) { s.process = false, s.reason = Reason::refused, s.death = "killed by SIGSEGV"; }, "SIGSEGV"},
    {"nothing listens", FaultKind::crash, [](FaultSigns& s) { s.process = false, s.reason = Reason::refused; },
     "no process"},
    {"nothing listens, and nobody has looked", FaultKind::crash,
     [](FaultSigns& s) { s.process = s.looked = false, s.reason = Reason::refused; }, "nothing listens"},
    {"it refuses, and is there", FaultKind::unknown, [](FaultSigns& s) { s.reason = Reason::refused; }, "no sign"},
    {"it answers with an error", FaultKind::unknown,
     [](FaultSigns& s) { s.reason = Reason::status_mismatch, put(s, Wait::io, 3); }, "no sign"},
    {"systemd's watchdog", FaultKind::hang, [](FaultSigns& s) { s.unit_result = "watchdog"; }, "watchdog"},
    {"it is stopped", FaultKind::io, [](FaultSigns& s) { put(s, Wait::stopped, 3), s.accept_queue = 4; },
     "3 of 3 threads: is stopped"},
    {"its disk hangs", FaultKind::io,
     [](FaultSigns& s) { put(s, Wait::disk, 1), put(s, Wait::lock, 2), s.main = Wait::lock; },
     "1 of 3 threads: waits for a disk"},
    {"it reads a pipe, beside idle workers", FaultKind::io,
     [](FaultSigns& s) { put(s, Wait::io, 1), put(s, Wait::lock, 2), s.main = Wait::io; }, "reads or writes"},
    {"its main thread is locked, a helper reads", FaultKind::lock,
     [](FaultSigns& s) { put(s, Wait::io, 1), put(s, Wait::lock, 2), s.main = Wait::lock; }, "main thread"},
    {"its workers are locked", FaultKind::lock,
     [](FaultSigns& s) { put(s, Wait::work, 1), put(s, Wait::lock, 2), s.main = Wait::work; }, "2 of 3 threads"},
    {"idle workers wait as locked ones do, and others compute", FaultKind::hang,
     [](FaultSigns& s) { put(s, Wait::runs, 1), put(s, Wait::lock, 2), s.main = Wait::runs; }, "runs"},
    {"its queue is full", FaultKind::queue,
     [](FaultSigns& s) { s.reason = Reason::connect_timeout, s.accept_queue = 129, put(s, Wait::sleep, 1); }, "129"},
    {"its queue is full, beside idle workers", FaultKind::queue,
     [](FaultSigns& s) { s.reason = Reason::connect_timeout, s.accept_queue = 129, put(s, Wait::lock, 2); }, "129"},
    {"a queue of messages", FaultKind::queue, [](FaultSigns& s) { s.reason = Reason::queue_saturated; }, "queue"},
    {"another user's process", FaultKind::hang, [](FaultSigns& s) { put(s, Wait::hidden, 3), s.main = Wait::hidden; },
     "where is not shown"},
    {"a peer does not answer it", FaultKind::hang, [](FaultSigns& s) { put(s, Wait::peer, 3), s.main = Wait::peer; },
     "waits for a peer"},
    {"nothing is known", FaultKind::unknown, [](FaultSigns& s) { s = FaultSigns{}; }, "no sign"},
};

}  // namespace

TEST_CASE("the kind of a fault is named from its signs alone") {
  for (const Row& row : kRows) {
    CAPTURE(row.what);
    FaultSigns signs = silent();
    row.change(signs);
    const model::FaultName name = model::name_fault(signs);
    CHECK(to_string(name.kind) == to_string(row.kind));
    CHECK(name.why.find(row.why) != std::string::npos);
  }
}

TEST_CASE("evidence that is too large loses lines of its longest sections, and says so") {
  model::Evidence evidence;
  evidence.sections = {{"unit", {"one line"}, ""},
                       {"journal", std::vector<std::string>(1000, std::string(99, 'x')), ""}};
  evidence.cut(50'000);
  CHECK(evidence.bytes() <= 50'000);
  CHECK(evidence.sections[0].lines.size() == 1);
  CHECK(evidence.sections[1].lines.size() == 250);
  CHECK(evidence.sections[1].missing.find("max_size") != std::string::npos);
  evidence.cut(0);
  CHECK(evidence.sections[1].lines.empty());
}
