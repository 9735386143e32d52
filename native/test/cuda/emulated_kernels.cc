// kernels.cu for the emulator.
#include "shim.h"

#define TENSORKV_LEVEL device
#include "../../src/cuda/kernels.cu"
