#include "emulator.h"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "context.h"
#include "shim.h"

#if defined(__SANITIZE_ADDRESS__)
#define TENSORKV_ADDRESS_SANITIZER
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TENSORKV_ADDRESS_SANITIZER
#endif
#endif
#if defined(TENSORKV_ADDRESS_SANITIZER)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#if defined(__x86_64__)
__asm__(
    ".text\n"
    ".hidden tensorkv_switch_context\n"
    ".globl tensorkv_switch_context\n"
    ".type tensorkv_switch_context, @function\n"
    "tensorkv_switch_context:\n"
    "push %rbp\n push %rbx\n push %r12\n push %r13\n push %r14\n push %r15\n"
    "mov %rsp, (%rdi)\n"
    "mov %rsi, %rsp\n"
    "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbx\n pop %rbp\n"
    "ret\n"
    ".size tensorkv_switch_context, . - tensorkv_switch_context\n");
#endif

namespace tensorkv::cuda {
namespace emulator {
namespace {

constexpr uint32_t kWarpThreads = 32;

struct KernelEntry {
  Kernel kernel;
  bool meets;
};

// Filled before main, by the registrations.
std::map<std::string, KernelEntry, std::less<>>& Kernels() {
  static std::map<std::string, KernelEntry, std::less<>> kernels;
  return kernels;
}

[[noreturn]] void Fail(const std::string& message) {
  std::fprintf(stderr, "CUDA emulator: %s\n", message.c_str());
  std::abort();
}

// Where a thread of a block waits.
enum class State : uint8_t { kRuns, kAtBarrier, kAtShuffle, kEnded };

// A thread of a block: a stack of its own, on the same thread of the CPU as all others.
struct Fiber {
  Context context;
  std::unique_ptr<char[]> stack;
  State state = State::kEnded;
  const char* file = nullptr;
  int line = 0;
  uint64_t brought = 0;
};

constexpr size_t kStackBytes = size_t{64} << 10;

// Runs the threads of a block in turns: each until it waits or ends.
class Block {
 public:
  void Run(Kernel kernel, uint32_t threads, char* memory, uint64_t table);
  void Wait(State state, const char* file, int line);
  Fiber& Current() { return fibers_[thread_index.x]; }
  Fiber& At(uint32_t thread) { return fibers_[thread]; }
  bool IsRunning() const { return kernel_ != nullptr; }
  uint32_t threads() const { return threads_; }

 private:
  static void Enter();
  void Start(Fiber& fiber);
  void Resume(uint32_t thread);
  void Yield(bool ends);
  bool Release();

  std::vector<Fiber> fibers_;
  Context scheduler_;
  Kernel kernel_ = nullptr;
  uint32_t threads_ = 0;
  char* memory_ = nullptr;
  uint64_t table_ = 0;
#if defined(TENSORKV_ADDRESS_SANITIZER)
  const void* scheduler_stack_ = nullptr;
  size_t scheduler_bytes_ = 0;
#endif
};

thread_local Block block;

void Block::Enter() {
#if defined(TENSORKV_ADDRESS_SANITIZER)
  __sanitizer_finish_switch_fiber(nullptr, &block.scheduler_stack_, &block.scheduler_bytes_);
#endif
  block.kernel_(block.memory_, block.table_);
  block.Current().state = State::kEnded;
  block.Yield(true);
}

void Block::Start(Fiber& fiber) {
  if (fiber.stack == nullptr) fiber.stack.reset(new char[kStackBytes]);
#if defined(TENSORKV_ADDRESS_SANITIZER)
  // The function that was left in the middle when the last thread on it ended.
  __asan_unpoison_memory_region(fiber.stack.get(), kStackBytes);
#endif
  fiber.context.Start(fiber.stack.get(), kStackBytes, &Block::Enter);
  fiber.state = State::kRuns;
}

void Block::Resume(uint32_t thread) {
  thread_index.x = thread;
  Fiber& fiber = fibers_[thread];
#if defined(TENSORKV_ADDRESS_SANITIZER)
  void* fake = nullptr;
  __sanitizer_start_switch_fiber(&fake, fiber.stack.get(), kStackBytes);
#endif
  scheduler_.SwitchTo(fiber.context);
#if defined(TENSORKV_ADDRESS_SANITIZER)
  __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#endif
}

void Block::Yield([[maybe_unused]] bool ends) {
  Fiber& fiber = Current();
#if defined(TENSORKV_ADDRESS_SANITIZER)
  void* fake = nullptr;
  __sanitizer_start_switch_fiber(ends ? nullptr : &fake, scheduler_stack_, scheduler_bytes_);
#endif
  fiber.context.SwitchTo(scheduler_);
#if defined(TENSORKV_ADDRESS_SANITIZER)
  __sanitizer_finish_switch_fiber(fake, &scheduler_stack_, &scheduler_bytes_);
#endif
}

void Block::Wait(State state, const char* file, int line) {
  Fiber& fiber = Current();
  fiber.state = state;
  fiber.file = file;
  fiber.line = line;
  Yield(false);
}

// Every thread waits or has ended. Lets those go on that wait for nobody else; false where all
// ended.
bool Block::Release() {
  bool waits = false;
  bool released = false;
  for (uint32_t first = 0; first < threads_; first += kWarpThreads) {
    const uint32_t end = first + kWarpThreads < threads_ ? first + kWarpThreads : threads_;
    uint32_t shuffling = 0;
    for (uint32_t k = first; k < end; ++k) shuffling += fibers_[k].state == State::kAtShuffle;
    waits = waits || shuffling > 0;
    if (shuffling == 0) continue;
    if (shuffling < end - first) Fail("a shuffle that not all threads of a warp reach");
    for (uint32_t k = first; k < end; ++k) fibers_[k].state = State::kRuns;
    released = true;
  }
  if (released) return true;
  const Fiber& one = fibers_[0];
  for (uint32_t k = 0; k < threads_; ++k) {
    const Fiber& other = fibers_[k];
    if (other.state != one.state || other.file != one.file || other.line != one.line) {
      const Fiber& at = one.state == State::kAtBarrier ? one : other;
      Fail("a barrier that not all threads of a block reach: " + std::string(at.file) + ":" +
           std::to_string(at.line));
    }
  }
  if (one.state == State::kEnded) return false;
  for (uint32_t k = 0; k < threads_; ++k) fibers_[k].state = State::kRuns;
  return true;
}

void Block::Run(Kernel kernel, uint32_t threads, char* memory, uint64_t table) {
  kernel_ = kernel;
  threads_ = threads;
  memory_ = memory;
  table_ = table;
  if (fibers_.size() < threads) fibers_.resize(threads);
  for (uint32_t k = 0; k < threads; ++k) {
    fibers_[k].file = nullptr;
    fibers_[k].line = 0;
    Start(fibers_[k]);
  }
  do {
    for (uint32_t k = 0; k < threads; ++k) {
      if (fibers_[k].state == State::kRuns) Resume(k);
    }
  } while (Release());
  kernel_ = nullptr;
}

}  // namespace

Registration::Registration(const char* name, Kernel kernel, bool meets) {
  if (!Kernels().emplace(name, KernelEntry{kernel, meets}).second) {
    Fail(std::string("two kernels are called ") + name);
  }
}

void MeetBlock(const char* file, int line) {
  if (!block.IsRunning()) Fail("a barrier in a kernel that is said to have none");
  block.Wait(State::kAtBarrier, file, line);
}

uint64_t Exchange(uint64_t mine, uint32_t from) {
  if (!block.IsRunning()) Fail("a shuffle in a kernel that is said to have none");
  const uint32_t first = thread_index.x / kWarpThreads * kWarpThreads;
  block.Current().brought = mine;
  block.Wait(State::kAtShuffle, nullptr, 0);
  const uint64_t theirs = block.At(first + from % kWarpThreads).brought;
  // Nobody brings the next value before all have taken this one.
  block.Wait(State::kAtShuffle, nullptr, 0);
  return theirs;
}

void RequireAligned(const void* address, size_t alignment) {
  if (reinterpret_cast<uintptr_t>(address) % alignment != 0) Fail("a vector that is not aligned");
}

}  // namespace emulator

bool EmulateKernel(const char* name, uint32_t blocks, uint32_t threads, void* memory,
                   uint64_t table_offset) {
  const auto found = emulator::Kernels().find(std::string_view(name));
  if (found == emulator::Kernels().end()) return false;
  const auto [kernel, meets] = found->second;
  emulator::block_size = {threads};
  for (uint32_t k = 0; k < blocks; ++k) {
    emulator::block_index = {k};
    if (meets) {
      emulator::block.Run(kernel, threads, static_cast<char*>(memory), table_offset);
      continue;
    }
    for (uint32_t thread = 0; thread < threads; ++thread) {
      emulator::thread_index = {thread};
      kernel(static_cast<char*>(memory), table_offset);
    }
  }
  return true;
}

}  // namespace tensorkv::cuda
