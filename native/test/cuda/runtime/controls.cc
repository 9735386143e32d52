#include <dlfcn.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "kernels.h"
#include "support.h"

namespace tensorkv::test {
namespace {

template <typename F>
F* Control(const char* name) {
  void* const library = dlopen(std::getenv("TENSORKV_CUDA_DRIVER"), RTLD_NOW | RTLD_LOCAL);
  CHECK(library != nullptr);
  auto* const control = reinterpret_cast<F*>(dlsym(library, name));
  CHECK(control != nullptr);
  return control;
}

}  // namespace

void FailLater(const std::string& faults) {
  Control<void(const char*)>("tensorkv_stand_in_fail")(faults.c_str());
}

size_t Broadcasts() { return Control<size_t()>("tensorkv_stand_in_broadcasts")(); }

size_t Communicators() { return Control<size_t()>("tensorkv_stand_in_communicators")(); }

size_t UsedBytes(int device) { return Control<size_t(int)>("tensorkv_stand_in_used")(device); }

size_t QueuedWork(int device) { return Control<size_t(int)>("tensorkv_stand_in_queued")(device); }

double RuleNamed(const char* name) {
  const KernelTable& table = *KernelsFor(Cpu::kBaseline);
  for (size_t k = 0; k < *table.step_count; ++k) {
    if (std::strcmp(table.steps[k].name, name) == 0) return static_cast<double>(k);
  }
  CHECK(false);
}

void LetGo() { Control<void()>("tensorkv_stand_in_let_go")(); }

void AwaitFree() { Control<void()>("tensorkv_stand_in_await_free")(); }

void RunChild(const std::vector<std::string>& parts, const std::vector<std::string>& settings) {
  std::vector<std::string> words = {"/proc/self/exe"}, variables = settings;
  words.insert(words.end(), parts.begin(), parts.end());
  // The first of a name counts.
  for (char** each = environ; *each != nullptr; ++each) variables.emplace_back(*each);
  const auto pointers = [](std::vector<std::string>& strings) {
    std::vector<char*> list;
    for (std::string& each : strings) list.push_back(each.data());
    list.push_back(nullptr);
    return list;
  };
  pid_t child = 0;
  int status = 0;
  CHECK(posix_spawn(&child, words[0].c_str(), nullptr, nullptr, pointers(words).data(),
                    pointers(variables).data()) == 0);
  CHECK(waitpid(child, &status, 0) == child);
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0) std::_Exit(WEXITSTATUS(status));
  CHECK(WIFEXITED(status));
}

}  // namespace tensorkv::test
