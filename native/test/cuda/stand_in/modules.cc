#include <cstring>

#include "stand_in.h"

namespace tensorkv::cuda::stand_in {
namespace {

Result ModuleLoadData(CUmod_st** module, const void* image) {
  STAND_IN_BEGIN("cuModuleLoadData");
  MayWaitForDevices("cuModuleLoadData");
  if (const Result result = ContextResult(); result != kSuccess) return result;
  const std::string text = static_cast<const char*>(image);
  if (text != "stand-in" && text.find(".version") == std::string::npos) return kInvalidPtx;
  State& state = State::Get();
  const std::lock_guard lock(state.mutex);
  state.modules.push_back(std::make_unique<CUmod_st>(text));
  *module = state.modules.back().get();
  return kSuccess;
}

Result ModuleGetFunction(CUfunc_st** function, CUmod_st* module, const char* name) {
  STAND_IN_BEGIN("cuModuleGetFunction");
  const bool is_ours = module->text == "stand-in";
  std::vector<size_t> sizes;
  if (!ParametersOf(name, &sizes)) return kNotFound;
  if (!is_ours && module->text.find(".entry " + std::string(name)) == std::string::npos) {
    return kNotFound;
  }
  State& state = State::Get();
  const std::lock_guard lock(state.mutex);
  std::unique_ptr<CUfunc_st>& found = state.functions[{module, name}];
  if (found == nullptr) found = std::make_unique<CUfunc_st>(name);
  *function = found.get();
  return kSuccess;
}

Result FuncGetParamInfo(CUfunc_st* function, size_t index, size_t* offset, size_t* size) {
  std::vector<size_t> sizes;
  ParametersOf(function->name, &sizes);
  if (index >= sizes.size()) return kInvalidValue;
  *offset = index * 8;
  *size = sizes[index];
  return kSuccess;
}

Result FuncSetAttribute(CUfunc_st* function, int attribute, int value) {
  STAND_IN_BEGIN("cuFuncSetAttribute");
  if (attribute != kMaxDynamicSharedBytes || value > 232448) return kInvalidValue;
  function->most_shared_bytes = value;
  return kSuccess;
}

Result LaunchKernel(CUfunc_st* function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                    unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,
                    CUstream_st* stream, void** parameters, void**) {
  STAND_IN_BEGIN("cuLaunchKernel");
  if (stream->context->lost != 0) return stream->context->lost;
  if (uint64_t{block_x} * block_y * block_z > 1024) return kInvalidValue;
  if (shared_bytes > static_cast<unsigned>(function->most_shared_bytes)) return kInvalidValue;
  std::vector<size_t> sizes;
  ParametersOf(function->name, &sizes);
  // Parameters are taken when the kernel is launched.
  std::vector<std::vector<char>> arguments;
  for (size_t k = 0; k < sizes.size(); ++k) {
    const auto* const begin = static_cast<const char*>(parameters[k]);
    arguments.emplace_back(begin, begin + sizes[k]);
  }
  CUctx_st* const context = stream->context;
  Enqueue(stream, [=, name = function->name, arguments = std::move(arguments)] {
    const unsigned grid[] = {grid_x, grid_y, grid_z}, block[] = {block_x, block_y, block_z};
    const Result fault = Injected("kernel");
    if (fault != 0) {
      context->lost = fault;
    } else if (!RunKernel(name, grid, block, arguments)) {
      context->lost = 700;
    }
  });
  return kSuccess;
}

}  // namespace

void AddModules(Driver* driver) {
  driver->ModuleLoadData = ModuleLoadData;
  driver->ModuleGetFunction = ModuleGetFunction;
  driver->FuncGetParamInfo = FuncGetParamInfo;
  driver->FuncSetAttribute = FuncSetAttribute;
  driver->LaunchKernel = LaunchKernel;
}

}  // namespace tensorkv::cuda::stand_in
