// Result<T>: a value or an Error with a bounded Kind. For what the environment may refuse (files, sockets, queries);
// a service that is down is data (model::Outcome), and what cannot happen is CHECK.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace base {

enum class Kind { invalid, not_found, unavailable, timeout, limit, io, permission, protocol, cancelled };

std::string_view to_string(Kind kind);

struct Error {
  Kind kind;
  std::string text;  // a whole sentence for a person: what happened and where
};

template <typename T = void>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

inline tl::unexpected<Error> fail(Kind kind, std::string text) {
  return tl::unexpected<Error>(Error{kind, std::move(text)});
}

// fail(io, "what: strerror(code)"). Read errno into a variable first when anything stands between.
tl::unexpected<Error> fail_errno(int code, std::string_view what);

}  // namespace base

#define FETTLE_CONCAT_(a, b) a##b
#define FETTLE_CONCAT(a, b) FETTLE_CONCAT_(a, b)
#define FETTLE_TRY_(temporary, declaration, expression)                             \
  auto temporary = (expression);                                                    \
  if (!temporary) return tl::unexpected<base::Error>(std::move(temporary).error()); \
  declaration = *std::move(temporary)

// TRY(auto file, open(path)); gives the value or returns the error from the enclosing function.
#define TRY(declaration, expression) FETTLE_TRY_(FETTLE_CONCAT(try_result_, __LINE__), declaration, expression)
// The same for a Result<void>.
#define TRY_VOID(expression)                                 \
  if (auto try_void_result = (expression); !try_void_result) \
  return tl::unexpected<base::Error>(std::move(try_void_result).error())
