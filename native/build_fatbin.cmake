# cmake -DNVCC=nvcc -DSOURCE=kernels.cu -DOUT=kernels.fatbin -DTARGETS=kernels_targets.h -DREQUIRED=ON
#   -P build_fatbin.cmake
# Compiles the kernels for every GPU, and says what they were made for. A file without bytes stands for none:
# then CUDA says why it is missing.
function(write_targets toolkit driver ptx codes)
  file(WRITE ${TARGETS} "#define TENSORKV_FATBIN_TOOLKIT ${toolkit}\n#define TENSORKV_FATBIN_DRIVER ${driver}\n"
       "#define TENSORKV_FATBIN_PTX ${ptx}\n#define TENSORKV_FATBIN_CODES ${codes}\n")
endfunction()
function(write_none)
  file(WRITE ${OUT} "")
  write_targets(0 0 0 0)
endfunction()

if(NOT NVCC)
  write_none()
  return()
endif()
# Instructions of each architecture are made from one intermediate code: that takes a third of the time.
# Newer GPUs translate it themselves.
set(PTX 75)
set(known_codes 75 80 86 90 100)
execute_process(COMMAND ${NVCC} --list-gpu-code OUTPUT_VARIABLE known RESULT_VARIABLE result)
set(targets compute_${PTX})
set(codes "")
foreach(code IN LISTS known_codes)
  if(known MATCHES "sm_${code}[^0-9a-z]")
    list(APPEND targets sm_${code})
    list(APPEND codes ${code})
  endif()
endforeach()
list(JOIN targets "," targets)
list(JOIN codes ", " codes)
# Any driver of the toolkit's major version takes the instructions. Of 12, those since 12.4 can unpack them
# where the toolkit packs them as we ask.
execute_process(COMMAND ${NVCC} --version OUTPUT_VARIABLE version RESULT_VARIABLE result)
if(version MATCHES "release ([0-9]+)\\.([0-9]+)")
  math(EXPR toolkit "${CMAKE_MATCH_1} * 1000 + ${CMAKE_MATCH_2} * 10")
  math(EXPR driver "${CMAKE_MATCH_1} * 1000")
else()
  set(toolkit 0)
  set(driver 0)
endif()
set(packing "")
if(NOT toolkit LESS 12080)
  set(packing --compress-mode=size)
  if(driver LESS 12040)
    set(driver 12040)
  endif()
endif()
# Rounding is that of the CPU: no fused multiply-add. A warning is an error, and so are registers that do
# not suffice.
execute_process(
  COMMAND ${NVCC} -fatbin -std=c++20 -O3 -fmad=false -gencode "arch=compute_${PTX},code=[${targets}]" --threads 2
    ${packing} -Werror all-warnings -Xptxas -warn-spills -o ${OUT} ${SOURCE}
  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(toolkit EQUAL 0)
  set(result "no release")
  string(APPEND output "its version was not understood: ${version}")
endif()
if(result EQUAL 0)
  write_targets(${toolkit} ${driver} ${PTX} "${codes}")
  return()
endif()
write_none()
if(REQUIRED)
  file(REMOVE ${OUT})
  message(FATAL_ERROR "nvcc failed on the kernels of CUDA:\n${output}")
endif()
message(WARNING "The kernels of CUDA are left out, for nvcc failed:\n${output}")
