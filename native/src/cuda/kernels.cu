// Every kernel of the GPU. A plan (plan.h) launches them.
#ifndef TENSORKV_LEVEL
#define TENSORKV_LEVEL device
#endif

#include "codes.cuh"
#include "lists.cuh"
#include "product.cuh"
#include "rows.cuh"
#include "step.cuh"
#include "tiles.cuh"
#include "whole_first.cuh"
#include "whole_last.cuh"
#include "whole_second.cuh"
