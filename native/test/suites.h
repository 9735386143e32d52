#pragma once

#include <cstdint>

#include "kernels.h"

namespace tensorkv::test {

// Each checks one kernel of one level and aborts at the first difference.
void TestReduceSum(const KernelTable& kernels);
void TestCompression(const KernelTable& kernels);
void TestSteps(const KernelTable& kernels);
void TestCopy(const KernelTable& kernels);
void TestCast(const KernelTable& kernels);
void TestHalf(const KernelTable& kernels);
void TestIsFinite(const KernelTable& kernels);
void TestRows(const KernelTable& kernels);

// Several threads run the kernels on ranges of shared arrays that touch but do not overlap.
void TestThreads(const KernelTable& kernels);

// How a device hears of what has ended.
void TestInbox();

// When a device comes back from a wait, and when it may go.
void TestDevices(const KernelTable& kernels);

// Seeded schedules of the engine's decisions, so many; and devices on threads whose store is
// recalled.
void TestRounds(uint32_t schedules);
void TestEngine(const KernelTable& kernels);

// Rounds of keys on a device, which somebody else queues.
void TestRemote(const KernelTable& kernels);

// Around every vector width, and around the tiles of sums (512 floats) and copies (8 KiB).
constexpr size_t kLengths[] = {0,   1,   2,   3,    7,    8,    9,    15,   16,   17,  31,
                               32,  33,  63,  64,   65,   127,  128,  129,  255,  256, 257,
                               511, 512, 513, 1023, 1024, 1025, 2047, 2048, 2049, 4097};

}  // namespace tensorkv::test
