#include "recover/drill/scratch.h"

#include <fmt/format.h>
#include <fts.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <memory>

#include "base/ascii.h"
#include "base/file.h"
#include "base/number.h"

namespace recover {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMark = ".fettle-drill";
constexpr const char* kMade = "made\n";  // in the mark: the folder itself goes, too
constexpr std::uint64_t kFreeShare = 20;
constexpr std::size_t kManifestLimit = 64UL * 1024 * 1024;
constexpr int kSocketPath = 80;  // what is left of a unix socket's 107 bytes

// Every entry below `folder`, folders before and after what is in them; no link is followed. The error of the first
// that cannot be looked at, or of `visit`.
base::Result<> walk(const std::string& folder, const std::function<base::Result<>(FTSENT&)>& visit) {
  std::string path = folder;
  const std::array<char*, 2> paths{path.data(), nullptr};
  const std::unique_ptr<FTS, int (*)(FTS*)> tree(
      ::fts_open(paths.data(), FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, nullptr), ::fts_close);
  if (!tree) return base::fail_errno(errno, folder);
  while (FTSENT* entry = ::fts_read(tree.get())) {
    if (entry->fts_info == FTS_ERR || entry->fts_info == FTS_DNR || entry->fts_info == FTS_NS) {
      if (entry->fts_errno == ENOENT) continue;  // it went meanwhile
      return base::fail_errno(entry->fts_errno, entry->fts_path);
    }
    TRY_VOID(visit(*entry));
  }
  return {};
}

base::Result<> remove_below(const std::string& folder, bool itself) {
  return walk(folder, [&](FTSENT& entry) -> base::Result<> {
    // Restored folders may be closed to their owner.
    if (entry.fts_info == FTS_D) ::chmod(entry.fts_path, S_IRWXU);
    if (entry.fts_info == FTS_D || (entry.fts_level == 0 && !itself)) return {};
    const int done = entry.fts_info == FTS_DP ? ::rmdir(entry.fts_path) : ::unlink(entry.fts_path);
    if (done != 0 && errno != ENOENT) return base::fail_errno(errno, fmt::format("cannot remove {}", entry.fts_path));
    return {};
  });
}

bool is_there(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

base::Result<> make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), S_IRWXU) != 0) return base::fail_errno(errno, "cannot make " + path);
  return {};
}

base::Result<> write_new(const std::string& path, std::string_view content) {
  ::unlink(path.c_str());
  return base::write_file_atomically(path, content);
}

// Whether the link leads to something below `folder`, which is canonical and ends in a slash; also one whose target is
// not there, or not yet.
bool leads_into(const std::string& folder, const fs::path& link) {
  std::error_code failed;
  const fs::path from = fs::canonical(link.parent_path(), failed);
  const fs::path to = (from / fs::read_symlink(link, failed)).lexically_normal();
  const auto is_inside = [&](const fs::path& path) { return !failed && path.string().starts_with(folder); };
  return is_inside(to) && is_inside(fs::weakly_canonical(to, failed));
}

base::Result<> check_owner(const std::string& folder) {
  struct stat info {};
  if (::lstat(folder.c_str(), &info) != 0) return base::fail_errno(errno, folder);
  if (!S_ISDIR(info.st_mode)) return base::fail(base::Kind::invalid, folder + " is no folder");
  if (info.st_uid != ::geteuid())
    return base::fail(base::Kind::invalid,
                      fmt::format("{} belongs to user {}; chown it to the agent's user", folder, info.st_uid));
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return base::fail(base::Kind::invalid,
                      fmt::format("{} may be written by its group or by others; chmod go-w it", folder));
  return {};
}

}  // namespace

base::Result<> prepare(const Scratch& scratch) {
  TRY_VOID(remove(scratch));
  const bool makes = !is_there(scratch.folder);
  if (makes) TRY_VOID(make_folder(scratch.folder));
  TRY_VOID(check_owner(scratch.folder));
  std::error_code failed;
  for (const fs::directory_entry& each : fs::directory_iterator(scratch.folder, failed))
    if (each.path().filename() != "lost+found")
      return base::fail(
          base::Kind::invalid,
          fmt::format("{} is not empty, and no drill left what is in it, such as {}; name an empty folder",
                      scratch.folder, each.path().filename().string()));
  if (failed) return base::fail_errno(failed.value(), scratch.folder);
  TRY_VOID(write_new(scratch.folder + "/" + kMark, makes ? kMade : "\n"));
  TRY_VOID(make_folder(scratch.data()));
  TRY_VOID(make_folder(scratch.run()));
  TRY(const ScratchUse use, measure(scratch));
  if (use.disk_full) return base::fail(base::Kind::limit, too_large(scratch, use));
  return {};
}

base::Result<bool> remove(const Scratch& scratch) {
  const std::string mark = scratch.folder + "/" + kMark;
  if (!is_there(mark)) return false;
  TRY_VOID(check_owner(scratch.folder));
  for (const std::string& folder : {scratch.data(), scratch.run()})
    if (is_there(folder)) TRY_VOID(remove_below(folder, true));
  const auto made = base::read_file(mark, 64);
  // The last of it: what was cut off before is found by its mark.
  if (::unlink(mark.c_str()) != 0) return base::fail_errno(errno, "cannot remove " + mark);
  if (made && *made == kMade) ::rmdir(scratch.folder.c_str());
  return true;
}

base::Result<ScratchUse> measure(const Scratch& scratch) {
  ScratchUse out;
  TRY_VOID(walk(scratch.folder, [&out](FTSENT& entry) -> base::Result<> {
    if (entry.fts_info == FTS_F) out.bytes += static_cast<std::uint64_t>(entry.fts_statp->st_blocks) * 512;
    return {};
  }));
  struct statvfs disk {};
  if (::statvfs(scratch.folder.c_str(), &disk) != 0) return base::fail_errno(errno, scratch.folder);
  out.disk_full = disk.f_bavail < disk.f_blocks / kFreeShare;
  return out;
}

std::string too_large(const Scratch& scratch, const ScratchUse& use) {
  if (use.disk_full) return fmt::format("the disk of {} is full: a twentieth of it must stay free", scratch.folder);
  if (use.bytes <= scratch.max_bytes) return "";
  return fmt::format("{} has grown to {} bytes, and max_bytes is {}", scratch.folder, use.bytes, scratch.max_bytes);
}

base::Result<Restored> look_at(const Scratch& scratch) {
  Restored out;
  TRY_VOID(walk(scratch.data(), [&out](FTSENT& entry) -> base::Result<> {
    if (entry.fts_info != FTS_F) return {};
    ++out.files;
    out.bytes += static_cast<std::uint64_t>(entry.fts_statp->st_size);
    const base::WallTime changed{std::chrono::seconds{entry.fts_statp->st_mtim.tv_sec}};
    out.newest = std::max(out.newest, changed);
    return {};
  }));
  return out;
}

base::Result<> check_manifest(const Scratch& scratch, const std::string& manifest) {
  const std::string path = scratch.data() + "/" + manifest;
  std::error_code failed;
  const fs::path real = fs::canonical(path, failed);
  if (failed) return base::fail(base::Kind::not_found, fmt::format("the manifest {} was not restored", manifest));
  if (!real.string().starts_with(fs::canonical(scratch.data(), failed).string() + "/"))
    return base::fail(base::Kind::invalid,
                      fmt::format("the manifest {} is a link out of the scratch folder", manifest));
  TRY(const std::string text, base::read_file(real, kManifestLimit));
  std::size_t names = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = base::take_line(rest);
    if (line.empty()) continue;
    const std::size_t blank = line.find(' ');
    const fs::path name = blank + 2 < line.size() ? fs::path(line.substr(blank + 2)) : fs::path();
    const bool leaves = name.is_absolute() || std::find(name.begin(), name.end(), "..") != name.end();
    if (blank != 64 || name.empty() || leaves)
      return base::fail(
          base::Kind::invalid,
          fmt::format("the manifest {} has a line that is none of sha256sum about a file beside it", manifest));
    ++names;
  }
  if (names == 0) return base::fail(base::Kind::invalid, fmt::format("the manifest {} names no file", manifest));
  return {};
}

base::Result<> prepare_cluster(const Scratch& scratch, const std::string& cluster) {
  if (scratch.folder.size() > kSocketPath)
    return base::fail(base::Kind::invalid,
                      fmt::format("the path of {} is too long for a socket in it; name a shorter one", scratch.folder));
  if (!is_there(cluster + "/PG_VERSION"))
    return base::fail(
        base::Kind::not_found,
        fmt::format("there is no data directory of PostgreSQL in what was restored: {} has no PG_VERSION", cluster));
  std::error_code failed;
  const std::string inside = fs::canonical(scratch.folder, failed).string() + "/";
  TRY_VOID(walk(cluster, [&](FTSENT& entry) -> base::Result<> {
    if (entry.fts_info != FTS_SL && entry.fts_info != FTS_SLNONE) return {};
    if (leads_into(inside, entry.fts_path)) return {};
    return base::fail(base::Kind::invalid,
                      fmt::format("{} is a link out of the scratch folder, and a server would write there",
                                  std::string_view(entry.fts_path).substr(scratch.folder.size() + 1)));
  }));
  for (const char* name : {"postmaster.pid", "standby.signal"}) ::unlink((cluster + "/" + name).c_str());
  ::chmod(cluster.c_str(), S_IRWXU);
  TRY_VOID(write_new(scratch.run() + "/postgresql.conf", "# all that it needs is on its command line\n"));
  return write_new(scratch.run() + "/pg_hba.conf", "local all all trust\n");
}

base::Result<std::string> postgres_programs(const std::string& cluster) {
  std::string version = "*";
  if (!cluster.empty()) {
    TRY(const std::string text, base::read_file(cluster + "/PG_VERSION", 64));
    version = std::string(base::trim(text, " \r\n"));
  }
  int newest = 0;
  std::string found;
  for (const std::string& program : base::glob("/usr/lib/postgresql/" + version + "/bin/postgres")) {
    const fs::path folder = fs::path(program).parent_path();
    const auto number = base::read_number<int>(folder.parent_path().filename().string());
    if (!number || *number <= newest) continue;
    newest = *number;
    found = folder;
  }
  if (found.empty())
    return base::fail(
        base::Kind::not_found,
        fmt::format("there is no /usr/lib/postgresql/{}/bin/postgres; install it, or write bin_dir", version));
  return found;
}

}  // namespace recover
