// Which handler answers which path. Everything but the event stream, which needs its connection.
#pragma once

#include "web/context.h"
#include "web/server/http.h"

namespace web {

// Answers the request, compressed if the client takes it. HEAD is answered as GET; the server leaves the body out.
Response route(const Request& request, const Context& context);

// The changing half, in admin.cc: reload, maintenance, recover, ack, silences. Over TCP it is refused with 403,
// whichever client asks.
Response admin_route(const Request& request, const Context& context);
// Its half for silences, in silences.cc: POST /api/v1/silences and DELETE /api/v1/silence/<id>.
Response change_silences(const Request& request, const Context& context);
// GET /probe, in probe_route.cc, with the blackbox exporter's parameters and answers.
Response probe_route(const Request& request, const Context& context);
// POST /heartbeat/<service>, in heartbeat.cc.
Response heartbeat_route(const Request& request, const Context& context);

}  // namespace web
