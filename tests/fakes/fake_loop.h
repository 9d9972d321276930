// The clock of tests: it stands still until a test moves it.
#pragma once

#include "loop/virtual_loop.h"

namespace fakes {

using FakeLoop = loop::VirtualLoop;

}  // namespace fakes
