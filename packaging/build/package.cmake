# What `cmake --install` puts where, and the .deb that `cpack -G DEB` makes of it in the build folder.
set(packaging ${CMAKE_SOURCE_DIR}/packaging)
set(CMAKE_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
    WORLD_READ WORLD_EXECUTE)

# Compressed as Debian wants them, without a time stamp, so that two builds give the same bytes.
find_program(GZIP_PROGRAM gzip REQUIRED)
foreach(page IN ITEMS man/fettle.1 man/fettle.yml.5 man/fettle-metrics.7 debian/changelog CHANGELOG.md)
  cmake_path(GET page FILENAME name)
  add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/${name}.gz
    COMMAND ${GZIP_PROGRAM} -9nc ${packaging}/${page} > ${CMAKE_BINARY_DIR}/${name}.gz
    DEPENDS ${packaging}/${page} VERBATIM)
  list(APPEND pages ${CMAKE_BINARY_DIR}/${name}.gz)
endforeach()
# Its links lead to doc/ beside it and to the examples, not into a source tree that is not there.
add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/README.md
  COMMAND sed -e "s|(packaging/CHANGELOG.md)|(changelog.gz)|g" -e "s|(packaging/|(|g" ${CMAKE_SOURCE_DIR}/README.md > ${CMAKE_BINARY_DIR}/README.md
  DEPENDS ${CMAKE_SOURCE_DIR}/README.md VERBATIM)
list(APPEND pages ${CMAKE_BINARY_DIR}/README.md)
add_custom_target(fettle_pages DEPENDS ${pages})
add_dependencies(fettle fettle_pages)

install(FILES ${CMAKE_BINARY_DIR}/fettle.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${CMAKE_BINARY_DIR}/fettle.yml.5.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)
install(FILES ${CMAKE_BINARY_DIR}/fettle-metrics.7.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man7)
install(FILES ${packaging}/completions/fettle.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME fettle)
install(FILES ${packaging}/completions/_fettle DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(FILES ${packaging}/completions/fettle.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
install(FILES ${packaging}/systemd/fettle.service DESTINATION lib/systemd/system)
install(FILES ${packaging}/systemd/fettle.sysusers DESTINATION lib/sysusers.d RENAME fettle.conf)
install(FILES ${packaging}/debian/copyright ${packaging}/SECURITY.md ${CMAKE_BINARY_DIR}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${CMAKE_BINARY_DIR}/changelog.gz DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME changelog.Debian.gz)
install(FILES ${CMAKE_BINARY_DIR}/CHANGELOG.md.gz DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME changelog.gz)
install(FILES ${packaging}/debian/lintian-overrides DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides RENAME fettle)
install(DIRECTORY ${packaging}/doc DESTINATION ${CMAKE_INSTALL_DOCDIR})
# Every file of these folders is an example.
install(FILES ${packaging}/polkit/60-fettle.rules ${packaging}/alertmanager/alertmanager.yml
        DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(FILES ${packaging}/prometheus/fettle.yml DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples RENAME prometheus.yml)
install(DIRECTORY ${packaging}/haproxy/ ${packaging}/keepalived/ ${packaging}/consul/ ${packaging}/drills/ ${packaging}/standby/ ${packaging}/zabbix/
        DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(DIRECTORY ${packaging}/container ${packaging}/kubernetes DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/dashboards/boards/ DESTINATION ${CMAKE_INSTALL_DATADIR}/fettle/dashboards
        FILES_MATCHING PATTERN "*.json")
# Configuration of the whole system: /etc, whatever the prefix.
install(FILES ${packaging}/etc/fettle.yml DESTINATION /etc/fettle)
install(DIRECTORY DESTINATION /etc/fettle/services.d)  # for a file per service
install(FILES ${packaging}/default/fettle DESTINATION /etc/default)
file(GLOB rules CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/rules/*.yml)
install(FILES ${rules} DESTINATION /etc/fettle/rules)
# The same for a Prometheus beside the agent, which may not look into /etc/fettle; and what no agent can say about
# itself.
install(FILES ${rules} DESTINATION ${CMAKE_INSTALL_DATADIR}/fettle/rules)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/rules/central DESTINATION ${CMAKE_INSTALL_DATADIR}/fettle/rules)
# Not loaded unless they are asked for.
install(DIRECTORY ${CMAKE_SOURCE_DIR}/rules/optional DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)

set(CPACK_PACKAGE_NAME fettle)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "The authors of fettle <fettle@example.org>")
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
set(conffiles /etc/default/fettle /etc/fettle/fettle.yml)
foreach(rule IN LISTS rules)
  cmake_path(GET rule FILENAME name)
  list(APPEND conffiles /etc/fettle/rules/${name})
endforeach()
set(CPACK_RPM_USER_FILELIST ${conffiles})
list(TRANSFORM CPACK_RPM_USER_FILELIST PREPEND "%config(noreplace) ")
list(JOIN conffiles "\n" conffiles)
file(WRITE ${CMAKE_BINARY_DIR}/conffiles "${conffiles}\n")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${packaging}/debian/preinst ${packaging}/debian/postinst
    ${packaging}/debian/prerm ${packaging}/debian/postrm ${CMAKE_BINARY_DIR}/conffiles)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_RPM_FILE_NAME RPM-DEFAULT)
set(CPACK_RPM_PACKAGE_LICENSE Apache-2.0)
set(CPACK_RPM_PACKAGE_RELEASE 1)
set(CPACK_RPM_PACKAGE_REQUIRES "systemd")
set(CPACK_RPM_POST_INSTALL_SCRIPT_FILE ${packaging}/rpm/post)
set(CPACK_RPM_PRE_UNINSTALL_SCRIPT_FILE ${packaging}/rpm/preun)
set(CPACK_RPM_POST_UNINSTALL_SCRIPT_FILE ${packaging}/rpm/postun)
# Folders of the system, which other packages own.
set(CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION /etc /etc/default /usr/lib/systemd /usr/lib/systemd/system
    /usr/lib/sysusers.d /usr/share/man /usr/share/man/man1 /usr/share/man/man5 /usr/share/man/man7 /usr/share/bash-completion
    /usr/share/bash-completion/completions /usr/share/zsh /usr/share/zsh/vendor-completions /usr/share/fish
    /usr/share/fish/vendor_completions.d /usr/share/doc /usr/share/lintian /usr/share/lintian/overrides)
set(CPACK_RPM_SPEC_MORE_DEFINE "%define _build_id_links none
%define source_date_epoch_from_changelog 0
%define use_source_date_epoch_as_buildtime 1
%define clamp_mtime_to_source_date_epoch 1
%define _buildhost localhost
%define __os_install_post %{nil}")
include(CPack)
