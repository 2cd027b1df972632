# Writes FILE, the source of one function, when the commit of SOURCE differs from what it says:
# cmake -DSOURCE=… -DFILE=… -P OuterloopCommit.cmake. Outside git the commit is empty.
cmake_minimum_required(VERSION 3.25)
set(commit "")
if(EXISTS ${SOURCE}/.git)
  execute_process(COMMAND git --no-optional-locks -C ${SOURCE} describe --always --dirty
    OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
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
