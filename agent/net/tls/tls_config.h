// tls_config, in Prometheus' words: for all that speaks TLS, whatever goes over it.
#pragma once

#include <memory>
#include <string>

#include "config/schema.h"
#include "net/tls/tls.h"

namespace net {

const config::Schema<TlsSettings>& tls_schema();

// The context for these settings; null with a mistake at `node` when they contradict each other. A file that cannot be
// used is a warning: what is asked fails until it can be.
std::shared_ptr<TlsContext> tls_context(const TlsSettings& settings, const config::Node& node, const std::string& path,
                                        config::Errors& errors);

}  // namespace net
