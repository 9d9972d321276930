#include "base/credential.h"

#include "base/file.h"

namespace base {
namespace {

constexpr std::size_t kCredentialLimit = 64 * 1024;

}  // namespace

Result<std::string> credential(const Secret& inlined, const std::string& file) {
  if (file.empty()) return inlined.reveal();
  auto text = read_file(file, kCredentialLimit);
  // Whatever keeps it from being read, it is the agent that has nothing to show.
  if (!text) return fail(Kind::permission, text.error().text);
  while (!text->empty() && (text->back() == '\n' || text->back() == '\r' || text->back() == ' ')) text->pop_back();
  return text;
}

}  // namespace base
