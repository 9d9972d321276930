// What probes need of an agent, on a real loop, as app/ puts it together; only systemd is of the test's own choice.
#pragma once

#include "http/http_client.h"
#include "loop/blocking_pool.h"
#include "loop/event_loop.h"
#include "net/resolver.h"
#include "net/stream.h"
#include "os/pid_watch.h"
#include "os/subprocess.h"
#include "os/systemd/systemd.h"
#include "probe/heartbeats.h"
#include "probe/probe.h"

namespace fakes {

// `Systemd` is made with the loop.
template <typename Systemd>
struct ProbeSide {
  loop::EventLoop loop;
  net::AresResolver resolver{loop};
  http::CurlHttpClient http{loop, resolver};
  net::StreamDialer dialer{loop, resolver};
  os::Subprocesses spawner{loop};
  os::PidWatch pids{loop};
  Systemd systemd{loop};
  probe::Heartbeats heartbeats{loop};
  loop::ThreadedBlockingPool blocking_pool{loop};
  probe::Context context{loop, http, dialer, resolver, spawner, pids, systemd, heartbeats, blocking_pool};
};

}  // namespace fakes
