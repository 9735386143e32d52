#pragma once

#include <cstddef>
#include <cstdint>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace tensorkv::cuda::emulator {

#if defined(__x86_64__)

// Keeps what a call must keep on the stack, and goes on where `to` stopped: without the system
// calls that swapcontext makes for signals.
extern "C" void tensorkv_switch_context(void** from, void* to);

// Where something stopped that has a stack of its own.
class Context {
 public:
  void Start(char* stack, size_t bytes, void (*enter)()) {
    auto* const end = reinterpret_cast<uint64_t*>(stack + bytes / 16 * 16);
    end[-2] = reinterpret_cast<uint64_t>(enter);
    for (int k = 3; k <= 8; ++k) end[-k] = 0;
    top_ = end - 8;
  }
  void SwitchTo(Context& other) { tensorkv_switch_context(&top_, other.top_); }

 private:
  void* top_ = nullptr;
};

#else

class Context {
 public:
  void Start(char* stack, size_t bytes, void (*enter)()) {
    getcontext(&context_);
    context_.uc_stack.ss_sp = stack;
    context_.uc_stack.ss_size = bytes;
    context_.uc_link = nullptr;
    makecontext(&context_, enter, 0);
  }
  void SwitchTo(Context& other) { swapcontext(&context_, &other.context_); }

 private:
  ucontext_t context_;
};

#endif

}  // namespace tensorkv::cuda::emulator
