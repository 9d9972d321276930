# The .deb, made by `cpack -G DEB` in the build folder.
set(CPACK_PACKAGE_NAME fettle)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
include(CPack)
