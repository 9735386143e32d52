#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "groups.h"
#include "table.h"
#include "table_builder.h"

// The parts of PlanOf.
namespace tensorkv::cuda {

// Whether each address is a multiple of `alignment`.
bool AreAligned(std::span<const Operand> operands, size_t alignment);

// How many threads share a row of `units` that one of them moves at once: a power of two.
uint32_t LanesLog2(size_t units);

// The item of a step, and where its gradients and rows are. `copies`: outs besides its own.
StepItem StepItemOf(TableBuilder& table, const Member& member);

// Launches of a group.
void PlanSteps(TableBuilder& table, const OperationGroup& group);
void PlanWholeSteps(TableBuilder& table, const OperationGroup& group);
void PlanSquares(TableBuilder& table, const OperationGroup& group);

}  // namespace tensorkv::cuda
