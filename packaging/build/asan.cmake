# cmake -C packaging/build/asan.cmake -S . -B build/asan: every test under AddressSanitizer and UBSan.
# With clang, which takes less than half of GCC's time for it; without optimization, which halves that once more.
set(CMAKE_C_COMPILER clang CACHE STRING "")
set(CMAKE_CXX_COMPILER clang++ CACHE STRING "")
set(CMAKE_BUILD_TYPE Debug CACHE STRING "")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g1 -fno-sanitize-recover=all" CACHE STRING "")
set(FETTLE_SANITIZE "address,undefined" CACHE STRING "")
set(FETTLE_PCH ON CACHE BOOL "")
