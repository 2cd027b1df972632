# Writes FILE, the source of one function, when the commit of SOURCE differs from what it says:
# cmake -DSOURCE=… -DFILE=… -P OuterloopCommit.cmake. Outside git the commit is empty. The sources
# may be another user's, as those that a container is given.
cmake_minimum_required(VERSION 3.25)
set(commit "")
if(EXISTS ${SOURCE}/.git)
  execute_process(
    COMMAND git -c safe.directory=* --no-optional-locks -C ${SOURCE} describe --always --dirty
    OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE
    ERROR_VARIABLE complaint RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(STATUS "manifests will name no commit: git: ${status} ${complaint}")
    set(commit "")
  endif()
endif()
file(CONFIGURE OUTPUT ${FILE} @ONLY CONTENT "#include \"outerloop/train/build_info.h\"

namespace outerloop::train {

std::string_view build_commit() {
  return \"@commit@\";
}

}  // namespace outerloop::train
")
