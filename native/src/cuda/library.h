#pragma once

#include <initializer_list>
#include <string>

namespace tensorkv::cuda {

// A shared library that is opened when it is first needed, and never closed.
struct Library {
  void* handle = nullptr;
  std::string file;   // as it was looked for
  std::string error;  // why there is none
};

// The one that `variable` of the environment names, or else the first of `usual` that there is.
Library OpenLibrary(const char* variable, std::initializer_list<const char*> usual);

}  // namespace tensorkv::cuda
