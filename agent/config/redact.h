// Which parts of a configuration are public and which are secret: as its schemas have marked them.
#pragma once

#include <string>
#include <string_view>

#include "base/secret.h"
#include "config/node.h"

namespace config {

// The configuration as a page may show it, after its parts were parsed: <secret> stands for all that no schema shows.
// It is written anew from the tree: comments, which may hold an old password, are gone.
std::string shown_config(const Node& root);

// The secrets that stand in the tree, and the files of secrets that it names.
base::KnownSecrets secrets_of(const Node& node);

// Whether the value of `key` has something in it that is not for everybody: a secret of any length, a file with one, a
// text that no schema shows.
bool holds_secrets(const Node& value, std::string_view key);

}  // namespace config
