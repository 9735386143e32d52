#pragma once

#include <napi.h>

namespace tensorkv::binding {

// Each adds the functions of one part to the kernels of a level; `table` is its KernelTable.
void AddCompression(Napi::Env env, Napi::Object kernels, void* table);
void AddStep(Napi::Env env, Napi::Object kernels, void* table);
void AddRows(Napi::Env env, Napi::Object kernels, void* table);

// Adds the functions of the engine to what the addon exports.
void AddEngine(Napi::Env env, Napi::Object exports);

// Adds the functions of CUDA to what the addon exports. Opens no driver.
void AddCuda(Napi::Env env, Napi::Object exports);

}  // namespace tensorkv::binding
