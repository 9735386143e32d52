#include <dlfcn.h>

#include <cstdlib>

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

}  // namespace tensorkv::test
