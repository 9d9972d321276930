# cmake -C packaging/build/asan.cmake -S . -B build/asan: every test under AddressSanitizer and UBSan.
set(CMAKE_BUILD_TYPE Debug CACHE STRING "")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1 -fno-sanitize-recover=all" CACHE STRING "")
set(FETTLE_SANITIZE "address,undefined" CACHE STRING "")
set(FETTLE_PCH ON CACHE BOOL "")
