// The keys of Alertmanager's own `global`, which people paste into ours: defaults of receivers, read by notify.
#pragma once

#include "config/global.h"
#include "config/schema.h"

namespace config {

// What to write in the place of keys of newer Alertmanagers that have another name here.
inline constexpr const char* kSlackAppInstead =
    "has another name here: write api_url: https://slack.com/api/chat.postMessage, and the token as http_config: "
    "{authorization: {credentials: ...}}";
inline constexpr const char* kImplicitTlsInstead =
    "is said by the port: 465 is spoken to in TLS from the first byte, all others go on in TLS by STARTTLS";

void add_alertmanager_keys(Schema<Global>& schema);

}  // namespace config
