# Arguments: BUILD, CONSUMER, WORK, GENERATOR, COMPILER.
function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/first)
file(RENAME ${WORK}/first ${WORK}/moved)  # nothing in it may remember where it was installed
run(${CMAKE_COMMAND} -G ${GENERATOR} -S ${CONSUMER} -B ${WORK}/consumer
  -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH=${WORK}/moved)
run(${CMAKE_COMMAND} --build ${WORK}/consumer)
run(${WORK}/consumer/consumer)

file(GLOB_RECURSE headers ${WORK}/moved/include/outerloop/*.h)
if(NOT headers OR NOT EXISTS ${WORK}/moved/share/outerloop/configs)
  message(FATAL_ERROR "the installed tree lacks headers or configs: ${WORK}/moved")
endif()
