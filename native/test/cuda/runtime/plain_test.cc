#include <thread>

#include "support.h"
#include "watchdog.h"

// Drivers without pools of memory, which free it at once: in a process of their own.
namespace tensorkv::test {

// The driver may wait for a device when memory is freed. Who does something else does not wait too.
void TestFreesWithoutTheLock() {
  Thread thread, other;
  const uint64_t kept = thread->Allocate(0, 400);
  thread->Release(thread->Allocate(0, 400));
  thread->Synchronize(0);
  const std::string ptx = ".version 8.0\n.visible .entry hold()";
  const size_t module = thread->LoadModule(0, std::as_bytes(std::span(ptx)));
  thread->Launch(thread->KernelNamed(module, "hold"), {{1, 1, 1}, {1, 1, 1}, 0}, {});
  std::thread frees([&] { other->Allocate(0, 400); });
  AwaitFree();
  CHECK(thread->InfoOf(kept).bytes == 400);
  Words().Fill(100, 1, {kept}).Run(thread.operator->(), 0);
  LetGo();
  frees.join();
  CHECK(Read(thread, kept, 100) == std::vector<float>(100, 1));
}

void TestPlainMemory() {
  const std::vector<std::string> without = {"TENSORKV_STAND_IN_POOLS=0"};
  RunChild({"frees"}, without);
  RunChild({"calls", "programs", "ends"}, without);
}

}  // namespace tensorkv::test
