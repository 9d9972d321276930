// Whether the plan of a service may act by itself, from what a snapshot shows. Pure; on the worker that renders it.
#pragma once

#include "model/ledger.h"
#include "model/trust.h"
#include "web/snapshot.h"

namespace web {

struct ServiceTrust {
  model::Ledger ledger;
  model::Trust trust;
};

ServiceTrust trust_of(const ServicePage& service, const Snapshot& snapshot);

}  // namespace web
