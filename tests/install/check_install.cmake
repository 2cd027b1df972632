# Arguments: BUILD, CONSUMER, IMAGES, WORK, GENERATOR, COMPILER.
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

# A query that is the support image of class a, answered by the library in the consumer.
run(${WORK}/moved/bin/outerloop train ${WORK}/moved/share/outerloop/configs/omniglot_protonet.yaml
  outer.iterations=1 tasks.ways=5 model.filters=4 validation.every=0 test.tasks=0
  report.write=false runtime.threads=1 run_dir=${WORK}/run)
foreach(copy IN ITEMS "glyph0.png support/a" "glyph1.png support/b" "glyph0.png query")
  separate_arguments(copy)
  list(GET copy 0 image)
  list(GET copy 1 folder)
  file(COPY ${IMAGES}/${image} DESTINATION ${WORK}/${folder})
endforeach()
execute_process(COMMAND ${WORK}/consumer/predict ${WORK}/run ${WORK}/support ${WORK}/query
  OUTPUT_VARIABLE answer COMMAND_ERROR_IS_FATAL ANY)
if(NOT answer MATCHES "^glyph0.png: a \\(")
  message(FATAL_ERROR "the consumer answered: ${answer}")
endif()

file(GLOB_RECURSE headers ${WORK}/moved/include/outerloop/*.h)
if(NOT headers OR NOT EXISTS ${WORK}/moved/share/outerloop/configs)
  message(FATAL_ERROR "the installed tree lacks headers or configs: ${WORK}/moved")
endif()
