# cmake -DNVCC=nvcc -DSOURCE=kernels.cu -DOUT=kernels.fatbin -DREQUIRED=ON -P build_fatbin.cmake
# Compiles the kernels for every GPU. A file without bytes stands for none: then CUDA says why it is missing.
if(NOT NVCC)
  file(WRITE ${OUT} "")
  return()
endif()
# Instructions of each architecture are made from one intermediate code: that takes a third of the time.
# Newer GPUs translate it themselves.
set(VIRTUAL compute_75)
set(CODES sm_75 sm_80 sm_86 sm_90 sm_100)
execute_process(COMMAND ${NVCC} --list-gpu-code OUTPUT_VARIABLE known RESULT_VARIABLE result)
set(targets ${VIRTUAL})
foreach(code IN LISTS CODES)
  if(known MATCHES "${code}[^0-9a-z]")
    list(APPEND targets ${code})
  endif()
endforeach()
list(JOIN targets "," targets)
# Rounding is that of the CPU: no fused multiply-add. A warning is an error, and so are registers that do
# not suffice.
execute_process(
  COMMAND ${NVCC} -fatbin -std=c++20 -O3 -fmad=false -gencode "arch=${VIRTUAL},code=[${targets}]" --threads 2
    --compress-mode=size -Werror all-warnings -Xptxas -warn-spills -o ${OUT} ${SOURCE}
  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(result EQUAL 0)
  return()
endif()
file(WRITE ${OUT} "")
if(REQUIRED)
  file(REMOVE ${OUT})
  message(FATAL_ERROR "nvcc failed on the kernels of CUDA:\n${output}")
endif()
message(WARNING "The kernels of CUDA are left out, for nvcc failed:\n${output}")
