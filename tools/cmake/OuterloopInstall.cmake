# An installed tree: the program, its configs, the headers, the libraries and what find_package reads.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/outerloop)
get_property(modules GLOBAL PROPERTY OUTERLOOP_MODULES)
install(TARGETS ${modules} EXPORT outerloopTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT outerloopTargets NAMESPACE outerloop:: DESTINATION ${package_dir})

configure_package_config_file(tools/cmake/outerloopConfig.cmake.in
  ${PROJECT_BINARY_DIR}/outerloopConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(
  ${PROJECT_BINARY_DIR}/outerloopConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(
  FILES
    ${PROJECT_BINARY_DIR}/outerloopConfig.cmake
    ${PROJECT_BINARY_DIR}/outerloopConfigVersion.cmake
    tools/cmake/OuterloopDependencies.cmake
  DESTINATION ${package_dir})

install(DIRECTORY include/outerloop DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY configs DESTINATION ${CMAKE_INSTALL_DATADIR}/outerloop)
install(FILES launch/farm.sbatch launch/sweep.sbatch DESTINATION ${CMAKE_INSTALL_DATADIR}/outerloop/launch)
if(TARGET outerloop)
  install(TARGETS outerloop)
endif()
