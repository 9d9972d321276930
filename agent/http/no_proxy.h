// no_proxy, as Go's programs read it: which hosts are asked without the proxy. Pure. Used inside http/ only.
#pragma once

#include <string>
#include <string_view>

namespace http {

// `hosts` has commas between: "*"; a name, which stands for all below it, too; ".name" for those below it only; an
// address; a network such as 10.0.0.0/8; each but the networks with or without ":port". Where a list is given at all,
// this host itself is never asked through the proxy. `port` in digits.
bool goes_without_proxy(std::string_view hosts, const std::string& host, std::string_view port);

}  // namespace http
