# What `cmake --install` puts where, and the .deb that `cpack -G DEB` makes of it in the build folder.
set(packaging ${CMAKE_SOURCE_DIR}/packaging)
set(CMAKE_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
    WORLD_READ WORLD_EXECUTE)

# Compressed as Debian wants them, without a time stamp, so that two builds give the same bytes.
find_program(GZIP_PROGRAM gzip REQUIRED)
foreach(page IN ITEMS man/fettle.1 debian/changelog)
  cmake_path(GET page FILENAME name)
  add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/${name}.gz
    COMMAND ${GZIP_PROGRAM} -9nc ${packaging}/${page} > ${CMAKE_BINARY_DIR}/${name}.gz
    DEPENDS ${packaging}/${page} VERBATIM)
  list(APPEND pages ${CMAKE_BINARY_DIR}/${name}.gz)
endforeach()
add_custom_target(fettle_pages DEPENDS ${pages})
add_dependencies(fettle fettle_pages)

install(FILES ${CMAKE_BINARY_DIR}/fettle.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${packaging}/completions/fettle.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME fettle)
install(FILES ${packaging}/systemd/fettle.service DESTINATION lib/systemd/system)
install(FILES ${packaging}/systemd/fettle.sysusers DESTINATION lib/sysusers.d RENAME fettle.conf)
install(FILES ${packaging}/debian/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${CMAKE_BINARY_DIR}/changelog.gz DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME changelog.Debian.gz)
install(FILES ${packaging}/polkit/60-fettle.rules ${packaging}/alertmanager/alertmanager.yml
        DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(FILES ${packaging}/prometheus/fettle.yml DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples RENAME prometheus.yml)
install(FILES ${packaging}/haproxy/haproxy.cfg ${packaging}/keepalived/keepalived.conf DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/dashboards/boards/ DESTINATION ${CMAKE_INSTALL_DATADIR}/fettle/dashboards
        FILES_MATCHING PATTERN "*.json")
# Configuration of the whole system: /etc, whatever the prefix.
install(FILES ${packaging}/etc/fettle.yml DESTINATION /etc/fettle)
file(GLOB rules CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/rules/*.yml)
install(FILES ${rules} DESTINATION /etc/fettle/rules)
# For Prometheus only: what no agent can say about itself.
install(DIRECTORY ${CMAKE_SOURCE_DIR}/rules/central DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples OPTIONAL)

set(CPACK_PACKAGE_NAME fettle)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "The authors of fettle <fettle@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "health exporter, alerting and recovery agent for trading nodes")
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "systemd")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "polkitd, dbus, tzdata")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "prometheus, prometheus-alertmanager")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "\
fettle probes the services of its node, serves what it knows to Prometheus,
 evaluates Prometheus rule files on the node itself, restarts what died within
 guards and budgets, and tells people by signed webhooks and Alertmanager.")
set(conffiles /etc/fettle/fettle.yml)
foreach(rule IN LISTS rules)
  cmake_path(GET rule FILENAME name)
  list(APPEND conffiles /etc/fettle/rules/${name})
endforeach()
list(JOIN conffiles "\n" conffiles)
file(WRITE ${CMAKE_BINARY_DIR}/conffiles "${conffiles}\n")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${packaging}/debian/postinst ${packaging}/debian/prerm
    ${packaging}/debian/postrm ${CMAKE_BINARY_DIR}/conffiles)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
