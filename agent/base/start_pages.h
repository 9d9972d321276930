// Memory that only the start needed: linking, reading the configuration and the first connections touch most pages of
// some eighty shared libraries once, and a process keeps what it touched.
#pragma once

#include <cstddef>

namespace base {

// Takes the pages of programs and libraries, which cannot be written to, out of this process, and gives freed heap back
// to the system; what is needed again comes from the page cache by itself. Returns how many bytes were resident in what
// was taken out. Any thread, others may run meanwhile; some milliseconds: once, when the start is over.
std::size_t give_back_start_pages();

}  // namespace base
