// main() of a target where there is no libFuzzer: each seed, each beginning of a seed, then seeds that were changed at
// random. It follows no coverage, but needs nothing of the compiler, and the same arguments give the same run.
//
// usage: fuzz_NAME [-runs=N] [-seed=N] [-dict=FILE] FOLDER|FILE...   (as libFuzzer has them; files only: no mutations)
//
// The input that ended the program is left in crash-NAME in the working directory.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "fuzz/fuzz.h"

// Of the sanitizers, if the build has them: they end the program in their own way.
extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));  // NOLINT

namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;

constexpr std::size_t kLongest = 64 * 1024;
constexpr std::size_t kLongestCut = 2'000;  // whose beginnings are all tried

// What a parser may trip over in any protocol: the edges of integers, of escapes and of brackets.
const std::vector<std::string> kPieces{
    "\0"s,
    "\0\0\0\0"s,
    "\xff"s,
    "\xff\xff\xff\xff"s,
    "\x7f"s,
    "\x7f\xff\xff\xff"s,
    "\x80"s,
    "\x80\0\0\0"s,
    "\r\n",
    "\n",
    "\r\n\r\n",
    " ",
    ":",
    "\"",
    "'",
    "\\",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "-",
    "-1",
    "0",
    "1e400",
    "NaN",
    "Inf",
    "0x",
    "4294967295",
    "2147483648",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "\xe2\x98\xba",
    "\xed\xa0\x80",
    "%00",
    "\\u0000",
    "&a [*a]",
    "{{",
};

std::string_view current;
std::string crash_file = "crash";

// Async-signal-safe.
void keep_input() {
  const int file = ::open(crash_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return;
  const bool kept = ::write(file, current.data(), current.size()) == static_cast<ssize_t>(current.size());
  ::close(file);
  if (kept) dprintf(STDERR_FILENO, "the input is in %s (%zu bytes)\n", crash_file.c_str(), current.size());
}

void on_signal(int number) {
  keep_input();
  std::signal(number, SIG_DFL);
  std::raise(number);
}

void keep_what_ends_the_program() {
  static std::array<char, 64 * 1024> own_stack;  // the other one may be what is used up
  const stack_t stack{own_stack.data(), 0, own_stack.size()};
  ::sigaltstack(&stack, nullptr);
  std::vector<int> numbers{SIGABRT};
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(keep_input);
  else numbers.insert(numbers.end(), {SIGSEGV, SIGBUS, SIGFPE, SIGILL});
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_ONSTACK;
  for (const int number : numbers) ::sigaction(number, &action, nullptr);
}

// Exactly as long as the input, so that AddressSanitizer sees one byte too far.
void try_input(std::string_view bytes) {
  const auto copy = std::make_unique<char[]>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), copy.get());
  current = {copy.get(), bytes.size()};
  fuzz::one_input(current);
}

std::string big_endian(std::size_t value, std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[size - 1 - i] = static_cast<char>(value >> (8 * i) & 0xff);
  return out;
}

class Mutations {
 public:
  Mutations(const std::vector<std::string>& seeds, const std::vector<std::string>& words, std::uint64_t seed)
      : seeds_(seeds), words_(words), random_(seed) {}

  std::string next() {
    std::string bytes = any(seeds_);
    for (std::size_t changes = 1 + random_.below(4); changes > 0; --changes) change(bytes);
    if (bytes.size() > kLongest) bytes.resize(kLongest);
    return bytes;
  }

 private:
  const std::string& any(const std::vector<std::string>& of) { return of[random_.below(of.size())]; }
  const std::string& any_piece() { return any(words_.empty() || random_.below(2) == 0 ? kPieces : words_); }

  void change(std::string& bytes) {
    const std::size_t at = random_.below(bytes.size() + 1);
    const std::size_t length = std::min(bytes.size() - at, 1 + random_.below(random_.below(4) == 0 ? 64 : 4));
    switch (random_.below(9)) {
      case 0: bytes.erase(at, length); break;
      case 1: bytes.insert(at, any_piece()); break;
      case 2: bytes.replace(at, length, any_piece()); break;
      case 3: bytes.insert(at, repeated(bytes.substr(at, length))); break;
      case 4: bytes.resize(at); break;
      case 5: {
        const std::string& other = any(seeds_);
        bytes.insert(at, other.substr(random_.below(other.size() + 1)));
        break;
      }
      case 6:  // lengths, counts, tags
        bytes.replace(at, std::min<std::size_t>(length, 4), big_endian(random_.below(300), 1 + random_.below(4)));
        break;
      case 7: replace_number(bytes, at); break;
      default:
        if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << random_.below(8)));
    }
  }

  // Now and then often enough to be as deep as a parser may not go.
  std::string repeated(const std::string& piece) {
    const std::size_t times = random_.below(50) == 0 ? kLongest / (piece.size() + 1) : 1 + random_.below(4);
    std::string out;
    for (std::size_t i = 0; i < times; ++i) out += piece;
    return out;
  }

  // The digits at or behind `at`.
  void replace_number(std::string& bytes, std::size_t at) {
    const std::size_t begin = bytes.find_first_of("0123456789", at);
    if (begin == std::string::npos) return;
    const std::size_t end = std::min(bytes.find_first_not_of("0123456789", begin), bytes.size());
    bytes.replace(begin, end - begin, random_.below(2) == 0 ? any(kPieces) : std::to_string(random_.below(70'000)));
  }

  const std::vector<std::string>& seeds_;
  const std::vector<std::string>& words_;
  fuzz::Random random_;
};

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The words of libFuzzer's dictionaries: one a line, in quotes, with \\ and \" inside.
std::vector<std::string> words_of(const fs::path& path) {
  std::ifstream file(path);
  std::vector<std::string> words;
  for (std::string line; std::getline(file, line);) {
    if (line.size() < 3 || line.front() != '"' || line.back() != '"') continue;
    std::string& word = words.emplace_back();
    for (std::size_t i = 1; i + 1 < line.size(); ++i) word += line[i] == '\\' ? line[++i] : line[i];
  }
  return words;
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t runs = 10'000, seed = 1;
  std::vector<fs::path> files;
  std::vector<std::string> words;
  bool folders = false;
  for (const std::string& argument : std::vector<std::string>(argv + 1, argv + argc)) {
    if (argument.starts_with("-runs=")) runs = std::stoul(argument.substr(6));
    else if (argument.starts_with("-seed=")) seed = std::stoul(argument.substr(6));
    else if (argument.starts_with("-dict=")) words = words_of(argument.substr(6));
    else if (!fs::is_directory(argument)) files.emplace_back(argument);
    else {
      folders = true;
      for (const auto& entry : fs::directory_iterator(argument)) files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> seeds{""};
  for (const fs::path& file : files) seeds.push_back(contents(file));
  if (seeds.size() == 1) {
    std::fprintf(stderr, "%s: no seeds\n", argv[0]);
    return 1;
  }
  crash_file = "crash-" + fs::path(argv[0]).filename().string();
  keep_what_ends_the_program();
  for (const std::string& whole : seeds) try_input(whole);
  if (!folders) return 0;
  for (const std::string& whole : seeds)
    for (std::size_t size = 0; size < std::min(whole.size(), kLongestCut); ++size)
      try_input(std::string_view(whole).substr(0, size));
  Mutations mutations(seeds, words, seed);
  for (std::size_t i = 0; i < runs; ++i) try_input(mutations.next());
  std::printf("%zu seeds, %zu inputs made of them: nothing found\n", seeds.size() - 1, runs);
  return 0;
}
