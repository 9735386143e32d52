// What the library exports: how the driver's functions are found, what makes the addon take it for
// a stand-in, what tests ask of it, an NVRTC that only looks for the names of kernels, and an NCCL.
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "../../../src/cuda/nccl_functions.h"
#include "stand_in.h"

#define STAND_IN_EXPORT extern "C" __attribute__((visibility("default")))

namespace tensorkv::cuda::stand_in {
namespace {

const std::map<std::string, void*>& Functions() {
  static const auto* const functions = [] {
    Driver driver;
    AddDevices(&driver);
    AddStreams(&driver);
    AddMemory(&driver);
    AddModules(&driver);
    auto* const made = new std::map<std::string, void*>();
#define STAND_IN_ENTER(Name, version, arguments) \
  (*made)["cu" #Name] = reinterpret_cast<void*>(driver.Name);
    TENSORKV_CUDA_FUNCTIONS(STAND_IN_ENTER, STAND_IN_ENTER)
#undef STAND_IN_ENTER
    return made;
  }();
  return *functions;
}

}  // namespace
}  // namespace tensorkv::cuda::stand_in

using namespace tensorkv::cuda;

STAND_IN_EXPORT const int tensorkv_stand_in;
const int tensorkv_stand_in = 1;

STAND_IN_EXPORT Result cuGetProcAddress_v2(const char* name, void** found, int, uint64_t,
                                           int* status) {
  const auto& functions = stand_in::Functions();
  const auto function = functions.find(name);
  *found = function == functions.end() ? nullptr : function->second;
  if (status != nullptr) *status = *found == nullptr ? 1 : 0;
  return *found == nullptr ? kNotFound : kSuccess;
}

// More faults, as TENSORKV_STAND_IN_FAIL names them.
STAND_IN_EXPORT void tensorkv_stand_in_fail(const char* list) { stand_in::AddFaults(list); }

// Bytes in use of a device.
STAND_IN_EXPORT size_t tensorkv_stand_in_used(int device) {
  stand_in::State& state = stand_in::State::Get();
  const std::lock_guard lock(state.mutex);
  return state.used.at(static_cast<size_t>(device));
}

// Broadcasts of NCCL so far.
STAND_IN_EXPORT size_t tensorkv_stand_in_broadcasts() { return stand_in::LaunchedBroadcasts(); }

// Communicators of NCCL so far.
STAND_IN_EXPORT size_t tensorkv_stand_in_communicators() { return stand_in::MadeCommunicators(); }

// How much was ever queued on a device.
STAND_IN_EXPORT size_t tensorkv_stand_in_queued(int device) {
  CUctx_st& context = *stand_in::State::Get().contexts.at(static_cast<size_t>(device));
  const std::lock_guard lock(context.mutex);
  return context.last;
}

// Opens what the kernel `hold` waits at.
STAND_IN_EXPORT void tensorkv_stand_in_let_go() { stand_in::HoldGate().Set(true); }

// Waits until memory is being freed.
STAND_IN_EXPORT void tensorkv_stand_in_await_free() { stand_in::FreeGate().Pass(); }

// NVRTC: an entry for each kernel of the source.
struct Program {
  std::string source, ptx, log;
};

STAND_IN_EXPORT int nvrtcCreateProgram(Program** program, const char* source, const char*, int,
                                       const char* const*, const char* const*) {
  *program = new Program{source, "", ""};
  return 0;
}

STAND_IN_EXPORT int nvrtcCompileProgram(Program* program, int, const char* const*) {
  const std::string mark = "__global__ void ";
  program->ptx = ".version 8.0\n.target sm_75\n.address_size 64\n";
  const std::string& source = program->source;
  size_t at = source.find(mark);
  if (at == std::string::npos) {
    program->log = "kernel.cu(1): error: expected a kernel";
    return 6;
  }
  for (; at != std::string::npos; at = source.find(mark, at + 1)) {
    const size_t begin = at + mark.size();
    program->ptx +=
        ".visible .entry " + source.substr(begin, source.find('(', begin) - begin) + "()\n";
  }
  return 0;
}

STAND_IN_EXPORT int nvrtcGetProgramLogSize(Program* program, size_t* size) {
  *size = program->log.size() + 1;
  return 0;
}
STAND_IN_EXPORT int nvrtcGetProgramLog(Program* program, char* log) {
  std::memcpy(log, program->log.c_str(), program->log.size() + 1);
  return 0;
}
STAND_IN_EXPORT int nvrtcGetPTXSize(Program* program, size_t* size) {
  *size = program->ptx.size() + 1;
  return 0;
}
STAND_IN_EXPORT int nvrtcGetPTX(Program* program, char* ptx) {
  std::memcpy(ptx, program->ptx.c_str(), program->ptx.size() + 1);
  return 0;
}
STAND_IN_EXPORT int nvrtcDestroyProgram(Program** program) {
  delete *program;
  *program = nullptr;
  return 0;
}

// NCCL.
STAND_IN_EXPORT NcclResult ncclGetVersion(int* version) {
  const char* const given = std::getenv("TENSORKV_STAND_IN_NCCL");
  *version = given == nullptr ? 22703 : std::atoi(given);
  return kNcclSuccess;
}
STAND_IN_EXPORT const char* ncclGetErrorString(NcclResult result) {
  return result == 1 ? "unhandled cuda error" : "another error";
}
STAND_IN_EXPORT NcclResult ncclCommInitAll(ncclComm** comms, int count, const int* devices) {
  return stand_in::InitAll(comms, count, devices);
}
STAND_IN_EXPORT NcclResult ncclCommAbort(ncclComm* comm) { return stand_in::Abort(comm); }
STAND_IN_EXPORT NcclResult ncclGroupStart() { return stand_in::BeginGroup(); }
STAND_IN_EXPORT NcclResult ncclGroupEnd() { return stand_in::EndGroup(); }
STAND_IN_EXPORT NcclResult ncclBroadcast(const void* from, void* to, size_t count, int dtype,
                                         int root, ncclComm* comm, CUstream_st* stream) {
  return stand_in::Broadcast(from, to, count, dtype, root, comm, stream);
}
