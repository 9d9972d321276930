// Requests of clients, one after the other.
#include <vector>

#include "fuzz/fuzz.h"
#include "web/server/request_reader.h"

namespace {

struct Heard {
  std::vector<std::string> requests;
  int status = 0;
  std::string why;
  bool operator==(const Heard&) const = default;
};

void hear(web::RequestReader& reader, std::string_view bytes, Heard& out) {
  using State = web::RequestReader::State;
  if (out.status != 0) return;
  reader.add(bytes);
  for (State state = reader.look(); state != State::nothing && state != State::partly; state = reader.look()) {
    if (state == State::refused) {
      out.status = reader.status();
      out.why = reader.why();
      return fuzz::require(out.status >= 400 && !out.why.empty(), "a refusal has a status and a reason");
    }
    out.requests.push_back(reader.take().bytes("X-Fuzz: 1"));
  }
}

}  // namespace

void fuzz::one_input(std::string_view bytes) {
  web::RequestReader at_once, in_bits, again;
  Heard whole, pieced, repeated;
  hear(at_once, bytes, whole);
  in_pieces(bytes, [&](std::string_view piece) { hear(in_bits, piece, pieced); });
  require(whole == pieced, "requests are the same in pieces");
  for (const std::string& request : whole.requests) hear(again, request, repeated);
  require(repeated.requests.size() == whole.requests.size() && repeated.status == 0,
          "what is handed on is read by the same rules");
}
