// A kubeconfig file, as kubectl reads it
// (https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/): the server, and as whom it
// is asked, of its current-context. Programs and plugins that give credentials (exec, auth-provider) are not run. Files
// that it names are relative to its own folder, and read as those of http_config are. Loop thread.
#pragma once

#include <string>
#include <string_view>

#include "base/file_version.h"
#include "config/node.h"
#include "http/json_api.h"

namespace http {

// Mistakes go to `errors`, at their place in `file`; `path` is that of the key that names it.
ApiServer parse_kubeconfig(std::string_view text, const std::string& file, const std::string& path,
                           config::Errors& errors);

// The server of a file that may change.
class KubeconfigFile {
 public:
  // Reads it. A file that cannot be read is a warning at `node`, where its key stands: what is asked fails until it
  // can be.
  KubeconfigFile(std::string file, const config::Node& node, const std::string& path, config::Errors& errors);
  // As the file has it now; while a changed one cannot be used, as it was before. Valid until the next call.
  const ApiServer& server();

 private:
  void take(ApiServer server);
  void be_without(const std::string& why);

  std::string file_, path_;
  base::FileVersion tried_;  // of the file when it was read last, for better or worse
  ApiServer server_;
  base::KnownSecrets before_;  // those of the server before it: an answer may still name them
};

}  // namespace http
