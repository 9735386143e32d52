# CUDA on the host: what queues work on devices. The driver is opened when it is first needed, so nothing of
# it is linked.
if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux" OR NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64|aarch64|arm64)$")
  return()
endif()

set(RUNTIME_FILES src/cuda/driver.cc src/cuda/engine_remote.cc src/cuda/fit.cc src/cuda/library.cc src/cuda/nccl.cc
    src/cuda/pinned.cc src/cuda/runtime_allocations.cc src/cuda/runtime_compile.cc src/cuda/runtime_copies.cc
    src/cuda/runtime_decode.cc src/cuda/runtime_decode_steps.cc src/cuda/runtime_handles.cc src/cuda/runtime_lane.cc
    src/cuda/runtime_modules.cc src/cuda/runtime_nccl.cc src/cuda/runtime_prepared.cc src/cuda/runtime_process.cc
    src/cuda/runtime_run.cc src/cuda/runtime_streams.cc)
add_library(cuda_runtime OBJECT ${RUNTIME_FILES})
target_compile_options(cuda_runtime PRIVATE ${HARDENED})
use_common_headers(cuda_runtime)
list(APPEND CUDA_LIBRARIES cuda_runtime ${CMAKE_DL_LIBS})

# Where there is a cuda.h, our declarations of the driver are compared with it.
find_path(TENSORKV_CUDA_HEADERS cudaTypedefs.h
          HINTS $ENV{CUDA_HOME}/include $ENV{CUDA_PATH}/include /usr/local/cuda/include)
if(TENSORKV_CUDA_HEADERS)
  add_library(cuda_declarations OBJECT src/cuda/driver_check.cc)
  target_include_directories(cuda_declarations SYSTEM PRIVATE ${TENSORKV_CUDA_HEADERS})
  add_dependencies(cuda_runtime cuda_declarations)
endif()

# Where there is an nccl.h, those of NCCL.
find_path(TENSORKV_NCCL_HEADERS nccl.h
          HINTS $ENV{NCCL_HOME}/include $ENV{CUDA_HOME}/include $ENV{CUDA_PATH}/include /usr/local/cuda/include)
if(TENSORKV_CUDA_HEADERS AND TENSORKV_NCCL_HEADERS)
  add_library(nccl_declarations OBJECT src/cuda/nccl_check.cc)
  target_include_directories(nccl_declarations SYSTEM PRIVATE ${TENSORKV_CUDA_HEADERS} ${TENSORKV_NCCL_HEADERS})
  add_dependencies(cuda_runtime nccl_declarations)
endif()

if(TENSORKV_TESTS)
  file(GLOB STAND_IN_FILES CONFIGURE_DEPENDS test/cuda/stand_in/*.cc)
  add_library(tensorkv_stand_in SHARED ${STAND_IN_FILES})
  set_target_properties(tensorkv_stand_in PROPERTIES PREFIX "")
  target_include_directories(tensorkv_stand_in PRIVATE src)
  # nodelete: its threads go on while the process ends.
  target_link_options(tensorkv_stand_in PRIVATE -Wl,-z,nodelete)
  file(GLOB RUNTIME_TEST_FILES CONFIGURE_DEPENDS test/cuda/runtime/*.cc)
  add_executable(tensorkv_cuda_runtime_tests ${RUNTIME_TEST_FILES})
  target_include_directories(tensorkv_cuda_runtime_tests PRIVATE src test)
  use_common_headers(tensorkv_stand_in tensorkv_cuda_runtime_tests)
endif()
