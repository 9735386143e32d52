// CUDA C++ to PTX, by NVRTC, which is opened when it is first needed.
#include <dlfcn.h>

#include <memory>
#include <mutex>
#include <type_traits>

#include "library.h"
#include "runtime.h"

namespace tensorkv::cuda {
namespace {

struct Program;

struct Compiler {
  int (*create)(Program**, const char*, const char*, int, const char* const*, const char* const*);
  int (*compile)(Program*, int, const char* const*);
  int (*log_size)(Program*, size_t*);
  int (*log)(Program*, char*);
  int (*ptx_size)(Program*, size_t*);
  int (*ptx)(Program*, char*);
  int (*destroy)(Program**);

  std::string missing;  // why there is none
};

template <typename F>
bool Resolve(void* library, const char* name, F* function) {
  *function = reinterpret_cast<F>(dlsym(library, name));
  return *function != nullptr;
}

Compiler OpenCompiler() {
  Compiler compiler = {};
  const auto [library, file, error] =
      OpenLibrary("TENSORKV_NVRTC", {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"});
  compiler.missing = error;
  if (library == nullptr) return compiler;
  const bool is_whole = Resolve(library, "nvrtcCreateProgram", &compiler.create) &&
                        Resolve(library, "nvrtcCompileProgram", &compiler.compile) &&
                        Resolve(library, "nvrtcGetProgramLogSize", &compiler.log_size) &&
                        Resolve(library, "nvrtcGetProgramLog", &compiler.log) &&
                        Resolve(library, "nvrtcGetPTXSize", &compiler.ptx_size) &&
                        Resolve(library, "nvrtcGetPTX", &compiler.ptx) &&
                        Resolve(library, "nvrtcDestroyProgram", &compiler.destroy);
  if (!is_whole) compiler.missing = "NVRTC lacks functions that are needed";
  return compiler;
}

const Compiler& TheCompiler() {
  static const Compiler* const compiler = new Compiler(OpenCompiler());
  return *compiler;
}

void CheckCall(int result, const char* call) {
  if (result == 0) return;
  throw Failure(FailureCode::kUnavailable, std::string("Expected NVRTC to work: ") + call +
                                               " failed with result " + std::to_string(result));
}

}  // namespace

std::string CompileCuda(const std::string& source, std::span<const std::string> options) {
  const Compiler& compiler = TheCompiler();
  if (!compiler.missing.empty()) throw Failure(FailureCode::kUnavailable, compiler.missing);
  Program* created = nullptr;
  CheckCall(compiler.create(&created, source.c_str(), "kernel.cu", 0, nullptr, nullptr),
            "nvrtcCreateProgram");
  const auto destroy = [&compiler](Program* program) { compiler.destroy(&program); };
  const std::unique_ptr<Program, decltype(destroy)> program(created, destroy);
  std::vector<const char*> given;
  given.reserve(options.size());
  for (const std::string& option : options) given.push_back(option.c_str());
  if (compiler.compile(program.get(), static_cast<int>(given.size()), given.data()) != 0) {
    size_t size = 0;
    std::string log;
    if (compiler.log_size(program.get(), &size) == 0 && size > 0) {
      log.resize(size);
      compiler.log(program.get(), log.data());
      log.resize(size - 1);  // The zero at its end.
    }
    throw Failure(FailureCode::kBadArgument, "Expected CUDA C++ that compiles: " + log);
  }
  size_t size = 0;
  CheckCall(compiler.ptx_size(program.get(), &size), "nvrtcGetPTXSize");
  std::string ptx(size, '\0');
  CheckCall(compiler.ptx(program.get(), ptx.data()), "nvrtcGetPTX");
  if (!ptx.empty()) ptx.pop_back();
  return ptx;
}

}  // namespace tensorkv::cuda
