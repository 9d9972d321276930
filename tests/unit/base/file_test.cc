#include "base/file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <fstream>
#include <string>
#include <thread>

#include "fakes/temporary_folder.h"

TEST_CASE("what is no regular file is refused and never waited for") {
  const fakes::TemporaryFolder folder;
  const std::string pipe = folder / "pipe", file = folder / "file", missing = folder / "missing";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  std::ofstream(file) << "text\n";
  struct Row {
    std::string path;
    base::Kind kind;
    std::string text;
  };
  const Row rows[] = {
      {pipe, base::Kind::invalid, "cannot read " + pipe + ": it is a pipe, a socket or a device, not a file"},
      {"/dev/zero", base::Kind::invalid, "cannot read /dev/zero: it is a pipe, a socket or a device, not a file"},
      {folder.path(), base::Kind::invalid, "cannot read " + folder.path() + ": it is a directory, not a file"},
      {missing, base::Kind::not_found, "cannot read " + missing + ": No such file or directory"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.path);
    const auto read = base::read_file(row.path);
    REQUIRE(!read);
    CHECK(read.error().kind == row.kind);
    CHECK(read.error().text == row.text);
  }
  CHECK(base::read_file(file).value() == "text\n");
  CHECK(base::read_file("/proc/self/stat").value().size() > 10);
}

TEST_CASE("a person's input may be a pipe") {
  const fakes::TemporaryFolder folder;
  const std::string pipe = folder / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  std::thread writer([&] { std::ofstream(pipe) << "text\n"; });
  CHECK(base::read_input(pipe).value() == "text\n");
  writer.join();
}
