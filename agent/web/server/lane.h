// Which workers answer a request. Requests of one lane never wait for those of another: each has workers of its own.
#pragma once

#include <cstddef>

namespace web {

enum class Lane { health, admin, api, stream, other };
constexpr std::size_t kLanes = 5;

}  // namespace web
