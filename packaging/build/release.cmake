# cmake -C packaging/build/release.cmake -S . -B build/release: what the packages are made of, and what the tests and
# the benchmarks run.
set(CMAKE_BUILD_TYPE Release CACHE STRING "")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -D_FORTIFY_SOURCE=2 -fstack-protector-strong" CACHE STRING "")
set(CMAKE_EXE_LINKER_FLAGS "-pie -Wl,-z,relro,-z,now" CACHE STRING "")
set(FETTLE_PCH ON CACHE BOOL "")
