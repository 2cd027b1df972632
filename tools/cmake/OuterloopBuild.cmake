# Build settings shared by every target, and the two helpers that declare them.

option(OUTERLOOP_BUILD_TESTS "Build the tests" ON)
option(OUTERLOOP_SANITIZE "Build with AddressSanitizer and UndefinedBehaviorSanitizer" OFF)
option(OUTERLOOP_TSAN "Build with ThreadSanitizer" OFF)
option(OUTERLOOP_WERROR "Treat warnings as errors" ON)
option(OUTERLOOP_UNITY "Compile the files of libraries in groups" ON)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")

find_program(OUTERLOOP_CCACHE ccache)
if(OUTERLOOP_CCACHE)
  # Sloppy about times alone, without which nothing that uses a precompiled header is kept.
  set(CMAKE_CXX_COMPILER_LAUNCHER
    env CCACHE_SLOPPINESS=pch_defines,time_macros ${OUTERLOOP_CCACHE})
endif()

include(OuterloopDependencies)
foreach(package IN LISTS OUTERLOOP_PACKAGES)
  find_package(${package} REQUIRED)
endforeach()
find_package(${OUTERLOOP_MPI} REQUIRED)
# Headers without a CMake package; Random123 is read by tests.
find_path(OUTERLOOP_XBYAK_INCLUDE xbyak/xbyak.h REQUIRED)
find_path(OUTERLOOP_RANDOM123_INCLUDE Random123/philox.h REQUIRED)
include_directories(SYSTEM ${OUTERLOOP_XBYAK_INCLUDE} ${OUTERLOOP_RANDOM123_INCLUDE})
find_package(PkgConfig REQUIRED)
foreach(module IN LISTS OUTERLOOP_PKGCONFIG_MODULES)
  pkg_check_modules(${module} REQUIRED IMPORTED_TARGET ${module})
endforeach()

# The interpreter of scripts, some of which import h5py: the one that Debian's Python packages belong
# to, unless only another has it.
function(ol_has_h5py result python)
  execute_process(COMMAND ${python} -c "import h5py"
    RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
  if(NOT status EQUAL 0)
    set(${result} FALSE PARENT_SCOPE)
  endif()
endfunction()
find_program(OUTERLOOP_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH VALIDATOR ol_has_h5py)
find_program(OUTERLOOP_PYTHON python3 VALIDATOR ol_has_h5py)
find_program(OUTERLOOP_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH)
find_program(OUTERLOOP_PYTHON python3)
if(NOT OUTERLOOP_PYTHON)
  set(OUTERLOOP_PYTHON python3)  # tools/test.sh installs it after a first build without
endif()

# Results are defined operation by operation (ordered arithmetic), so the compiler may not contract
# a*b+c on its own: explicit std::fma says where a fused step is meant.
# GCC 12 warns falsely of std::string's own copies (GCC bugs 105329, 105651), since precompiled
# headers no longer count as the system's; and of anonymous namespaces, which it takes for a header's
# in files that are compiled in groups. Its garbage is not collected below half a GiB, which takes up to
# a fifth of the compile time where collected at its usual 128 MiB.
add_library(outerloop_flags INTERFACE)
target_compile_options(outerloop_flags INTERFACE
  -ffp-contract=off -Wall -Wextra -Wshadow -Wno-missing-field-initializers
  $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds;-Wno-restrict;-Wno-stringop-overflow;-Wno-subobject-linkage>
  $<$<CXX_COMPILER_ID:GNU>:--param=ggc-min-heapsize=524288>
  $<$<BOOL:${OUTERLOOP_WERROR}>:-Werror>)
if(OUTERLOOP_CCACHE)
  target_compile_options(outerloop_flags INTERFACE -fpch-preprocess)
endif()
if(OUTERLOOP_SANITIZE)
  # What is left out costs a third of the compile time, and AddressSanitizer sees such accesses too.
  target_compile_options(outerloop_flags INTERFACE
    -fsanitize=address,undefined -fno-sanitize=null,object-size,vptr -fno-sanitize-recover=undefined
    -fno-omit-frame-pointer)
  target_link_options(outerloop_flags INTERFACE -fsanitize=address,undefined)
endif()
if(OUTERLOOP_TSAN)
  target_compile_options(outerloop_flags INTERFACE -fsanitize=thread)
  target_link_options(outerloop_flags INTERFACE -fsanitize=thread)
endif()

# Most of the time of a small file goes to the same few headers, so they are compiled once. Every file
# still includes what it uses. Libraries and programs differ in flags (PIC, PIE): one set for each.
set(OUTERLOOP_HEADERS <algorithm> <array> <cmath> <cstdint> <cstring> <filesystem> <functional>
  <limits> <map> <memory> <optional> <span> <string> <string_view> <utility> <vector> <fmt/format.h>)
file(WRITE ${CMAKE_BINARY_DIR}/headers.cpp "int main() {}\n")
add_library(outerloop_headers OBJECT ${CMAKE_BINARY_DIR}/headers.cpp)
target_link_libraries(outerloop_headers PRIVATE outerloop_flags fmt::fmt)
target_precompile_headers(outerloop_headers PRIVATE ${OUTERLOOP_HEADERS})
if(OUTERLOOP_BUILD_TESTS)
  find_package(GTest REQUIRED)
  add_executable(outerloop_test_headers ${CMAKE_BINARY_DIR}/headers.cpp)
  # Tests are compiled more often than their own code is run: that is not optimised.
  add_library(outerloop_test_flags INTERFACE)
  target_compile_options(outerloop_test_flags INTERFACE -O0)
  target_link_libraries(outerloop_test_headers PRIVATE
    outerloop_flags outerloop_test_flags fmt::fmt GTest::gtest)
  target_precompile_headers(outerloop_test_headers PRIVATE ${OUTERLOOP_HEADERS}
    <chrono> <fstream> <numeric> <random> <set> <sstream> <thread>
    <gtest/gtest.h>)
endif()

# Files of a group share the compilation of the templates that they all use, which is most of the
# work of a small one. Types and constants in anonymous namespaces are therefore unique in a library
# or test program, functions at least by their parameters.
function(ol_compile_in_groups target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${OUTERLOOP_UNITY} UNITY_BUILD_BATCH_SIZE 8)
endfunction()

# ol_module(NAME SOURCES a.cpp … [PUBLIC targets…] [PRIVATE targets…])
# One static library per module: target outerloop_<NAME>, alias outerloop::<NAME>.
function(ol_module name)
  cmake_parse_arguments(M "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(outerloop_${name} STATIC ${M_SOURCES})
  add_library(outerloop::${name} ALIAS outerloop_${name})
  set_target_properties(outerloop_${name} PROPERTIES EXPORT_NAME ${name})
  target_include_directories(outerloop_${name}
    PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>
    PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(outerloop_${name}
    PUBLIC ${M_PUBLIC} PRIVATE $<BUILD_INTERFACE:outerloop_flags> ${M_PRIVATE})
  target_compile_features(outerloop_${name} PUBLIC cxx_std_20)
  target_precompile_headers(outerloop_${name} REUSE_FROM outerloop_headers)
  ol_compile_in_groups(outerloop_${name})
  set_property(GLOBAL APPEND PROPERTY OUTERLOOP_MODULES outerloop_${name})
endfunction()

# ol_test(NAME SOURCES a.cpp … LINK targets… [SHARE tests…] [LABELS l…] [TIMEOUT s] [OPTIMISED])
# One GoogleTest program, one CTest test per program: tests/<module>/ mirrors src/<module>/.
# SHARE: what other tests consist of is part of this one too, compiled once.
# OPTIMISED: most of the test's time would go to its own code.
# Label `sanitize` or `tsan`: the suite also runs this test in that sanitizer's build.
add_custom_target(sanitize_tests)
add_custom_target(tsan_tests)
function(ol_test name)
  cmake_parse_arguments(T "OPTIMISED" "TIMEOUT" "SOURCES;LINK;SHARE;LABELS" ${ARGN})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 120)
  endif()
  if(OUTERLOOP_SANITIZE)
    set(options ${PROJECT_SOURCE_DIR}/tests/support/sanitizer_options.cpp)
    set_source_files_properties(${options} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
    list(APPEND T_SOURCES ${options})
  endif()
  foreach(test IN LISTS T_SHARE)
    list(APPEND T_SOURCES $<FILTER:$<TARGET_OBJECTS:${test}>,EXCLUDE,sanitizer_options>)
  endforeach()
  add_executable(${name} ${T_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(${name} PRIVATE
    OUTERLOOP_SOURCE_DIR="${PROJECT_SOURCE_DIR}" OUTERLOOP_BINARY_DIR="${CMAKE_BINARY_DIR}")
  target_link_libraries(${name} PRIVATE outerloop_flags ${T_LINK} GTest::gtest GTest::gtest_main)
  if(NOT T_OPTIMISED)
    target_link_libraries(${name} PRIVATE outerloop_test_flags)
    ol_compile_in_groups(${name})
    target_precompile_headers(${name} REUSE_FROM outerloop_test_headers)
  endif()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name} --gtest_brief=1)
  set_tests_properties(${name} PROPERTIES LABELS "${T_LABELS}" TIMEOUT ${T_TIMEOUT})
  if(T_TIMEOUT GREATER 120)  # of the long ones, the longest starts first
    set_tests_properties(${name} PROPERTIES COST ${T_TIMEOUT})
  endif()
  foreach(sanitizer IN ITEMS sanitize tsan)
    if(sanitizer IN_LIST T_LABELS)
      add_dependencies(${sanitizer}_tests ${name})
    endif()
  endforeach()
endfunction()

# For ranks that are started on one machine by tests, more than it has cores: waiting ones yield.
# The variables are those of Open MPI 4 and 5; others ignore them.
set(OUTERLOOP_MPI_ENVIRONMENT
  OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_mpi_yield_when_idle=1
  OMPI_MCA_rmaps_base_oversubscribe=1 PRTE_MCA_hwloc_default_binding_policy=none
  PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe)

# ol_test_on_ranks(NAME RANKS…)
# Runs a test program of ol_test under the MPI launcher too, once with each number of ranks: CTest
# tests NAME_<ranks>. The program checks that there are OUTERLOOP_EXPECTED_RANKS: a launcher of another
# MPI than the linked one starts as many worlds of one rank.
function(ol_test_on_ranks name)
  foreach(ranks IN LISTS ARGN)
    add_test(NAME ${name}_${ranks} COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} ${ranks}
      ${MPIEXEC_PREFLAGS} $<TARGET_FILE:${name}> ${MPIEXEC_POSTFLAGS} --gtest_brief=1)
    set_tests_properties(${name}_${ranks} PROPERTIES
      TIMEOUT 120 PROCESSORS 2
      ENVIRONMENT "${OUTERLOOP_MPI_ENVIRONMENT};OUTERLOOP_EXPECTED_RANKS=${ranks}")
  endforeach()
endfunction()
