// All that a probe may use, on a loop of its own: for commands that run probes without an agent.
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

namespace app {

struct ProbeSurroundings {
  loop::EventLoop loop{};
  net::AresResolver resolver{loop};
  net::StreamDialer dialer{loop, resolver};
  http::CurlHttpClient http{loop, resolver};
  os::Subprocesses spawner{loop};
  os::PidWatch pids{loop};
  os::SdBusSystemd systemd{loop};
  probe::Heartbeats heartbeats{loop};
  loop::ThreadedBlockingPool blocking_pool{loop};
  const probe::Context context{loop, http, dialer, resolver, spawner, pids, systemd, heartbeats, blocking_pool};
};

}  // namespace app
