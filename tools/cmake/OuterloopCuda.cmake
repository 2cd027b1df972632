# What a build finds of CUDA and NCCL: their headers are enough, the libraries are loaded when a GPU
# is asked for. Without them, or where they are too old, it is a build without GPUs.
#   OUTERLOOP_CUDA_INCLUDE   folder of the headers; false: none
#   OUTERLOOP_NCCL_INCLUDE   the same of nccl.h

# The number that a header defines NAME as; 0: none.
function(ol_read_version variable header name)
  set(version 0)
  if(EXISTS ${header})
    file(STRINGS ${header} line REGEX "^#define ${name} +[0-9]+")
    if(line MATCHES "([0-9]+)")
      set(version ${CMAKE_MATCH_1})
    endif()
  endif()
  set(${variable} ${version} PARENT_SCOPE)
endfunction()

find_path(OUTERLOOP_CUDA_INCLUDE nvrtc.h
  HINTS ENV CUDA_HOME ENV CUDA_PATH /usr/local/cuda PATH_SUFFIXES include)
find_path(OUTERLOOP_NCCL_INCLUDE nccl.h
  HINTS ENV NCCL_HOME ENV CUDA_HOME /usr/local/cuda PATH_SUFFIXES include)
mark_as_advanced(OUTERLOOP_CUDA_INCLUDE OUTERLOOP_NCCL_INCLUDE)

if(OUTERLOOP_CUDA_INCLUDE)
  ol_read_version(version ${OUTERLOOP_CUDA_INCLUDE}/cuda.h CUDA_VERSION)
  if(version LESS 12000)
    message(STATUS "${OUTERLOOP_CUDA_INCLUDE}: no cuda.h of CUDA 12 or newer: built without CUDA")
    set(OUTERLOOP_CUDA_INCLUDE "")
  endif()
endif()
if(OUTERLOOP_NCCL_INCLUDE)
  ol_read_version(version ${OUTERLOOP_NCCL_INCLUDE}/nccl.h NCCL_VERSION_CODE)
  if(version LESS 21400 OR NOT EXISTS ${OUTERLOOP_CUDA_INCLUDE}/cuda_runtime.h)
    message(STATUS "no nccl.h of NCCL 2.14 or newer with cuda_runtime.h: built without NCCL")
    set(OUTERLOOP_NCCL_INCLUDE "")
  endif()
endif()
