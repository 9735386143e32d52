#include "library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <vector>

namespace tensorkv::cuda {

Library OpenLibrary(const char* variable, std::initializer_list<const char*> usual) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody here sets the environment.
  const char* const named = std::getenv(variable);
  std::vector<const char*> files(usual);
  if (named != nullptr && *named != '\0') files = {named};
  Library library;
  for (const char* const file : files) {
    library.file = file;
    library.handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (library.handle != nullptr) return library;
  }
  const char* const error = dlerror();  // NOLINT(concurrency-mt-unsafe): glibc has one a thread.
  library.error = error == nullptr ? library.file + " cannot be opened" : error;
  return library;
}

}  // namespace tensorkv::cuda
