#include "os/program_file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace fs = std::filesystem;

namespace {

// A folder in which nobody but us can write, below one in which everybody can (/tmp is sticky).
struct Folder {
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "fettle-program-XXXXXX").string();
    path = ::mkdtemp(pattern.data());
    fs::create_directory(path + "/bin");
    write("bin/hook", 0755);
  }
  ~Folder() { fs::remove_all(path); }
  void write(const std::string& name, mode_t mode) const {
    std::ofstream(path + "/" + name) << "#!/bin/sh\n";
    ::chmod((path + "/" + name).c_str(), mode);
  }
  void link(const std::string& target, const std::string& name) const { fs::create_symlink(target, path + "/" + name); }
  std::string path;
};

// "" if the program may be run; names of the folder are left out.
std::string complaint(const Folder& folder, const std::string& name) {
  const auto good = os::check_program(folder.path + "/" + name);
  if (good) return "";
  std::string text = good.error().text;
  for (auto at = text.find(folder.path); at != std::string::npos; at = text.find(folder.path))
    text.erase(at, folder.path.size());
  return text;
}

}  // namespace

TEST_CASE("a program may be run if nobody else can put another in its place") {
  const Folder f;
  f.link("bin/hook", "relative");
  f.link(f.path + "/bin/../bin/hook", "absolute");
  f.link("relative", "twice");
  f.link("bin", "folder");
  for (const char* name :
       {"bin/hook", "bin//./hook", "bin/../bin/hook", "relative", "absolute", "twice", "folder/hook"}) {
    CAPTURE(name);
    CHECK(complaint(f, name) == "");
  }
  CHECK(os::check_program("/usr/bin/env"));
}

TEST_CASE("whoever could exchange a program is named, wherever on the way he could") {
  const std::string others = " may be written by its group or by others, who could have anything run; chmod go-w it";
  const Folder f;
  f.write("bin/group", 0775);
  f.write("bin/others", 0757);
  f.write("bin/plain", 0644);
  fs::create_directory(f.path + "/open");
  f.write("open/hook", 0755);
  ::chmod((f.path + "/open").c_str(), 0775);
  f.link("open/hook", "through");
  f.link("../open/../bin/hook", "bin/past");
  f.link("circle", "circle");
  fs::create_directory(f.path + "/sticky");
  ::chmod((f.path + "/sticky").c_str(), 01777);
  f.write("sticky/hook", 0755);
  CHECK(complaint(f, "bin/group") == "/bin/group" + others);
  CHECK(complaint(f, "bin/others") == "/bin/others" + others);
  CHECK(complaint(f, "open/hook") == "/open" + others);
  CHECK(complaint(f, "through") == "/open" + others);
  CHECK(complaint(f, "bin/past").find(others) != std::string::npos);  // the way leads through it, the target does not
  CHECK(complaint(f, "sticky/hook") == "");
  CHECK(complaint(f, "bin/plain") == "/bin/plain cannot be executed by this user; chmod +x it");
  CHECK(complaint(f, "bin") == "/bin is no regular file");
  CHECK(complaint(f, "bin/gone") == "/bin/gone: No such file or directory");
  CHECK(complaint(f, "bin/hook/more") == "/bin/hook/more: Not a directory");
  CHECK(complaint(f, "circle") == "/circle: Too many levels of symbolic links");
  CHECK(os::check_program("hook").error().text ==
        "'hook' is no absolute path; write where the program lies, such as /usr/bin/systemctl");
}

TEST_CASE("what belongs to another user is refused, file, folder and link") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: only root can give files away");
    return;
  }
  constexpr uid_t kNobody = 65534;
  const std::string who = " belongs to user 65534, who could have anything run; chown it to root";
  const Folder f;
  f.write("bin/given", 0755);
  REQUIRE(::chown((f.path + "/bin/given").c_str(), kNobody, kNobody) == 0);
  f.link("bin/hook", "link");
  REQUIRE(::lchown((f.path + "/link").c_str(), kNobody, kNobody) == 0);
  fs::create_directory(f.path + "/his");
  f.write("his/hook", 0755);
  REQUIRE(::chown((f.path + "/his").c_str(), kNobody, kNobody) == 0);
  CHECK(complaint(f, "bin/given") == "/bin/given" + who);
  CHECK(complaint(f, "link") == "/link" + who);
  CHECK(complaint(f, "his/hook") == "/his" + who);
}
