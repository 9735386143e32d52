// Of mutant-list.mjs those in the runtime of CUDA devices, which native/test/cuda/runtime has to catch: the
// `parts` of it that are named, or all.
const faults = [
  {
    name: 'hyper-parameters that stay the same',
    file: 'runtime_prepared.cc',
    parts: ['prepared'],
    changes: [['      changed.push_back({at, sizeof(whole)});\n', '']],
  },
  {
    name: 'a device that does not wait',
    file: 'runtime_streams.cc',
    parts: ['calls'],
    changes: [['TheDriver().StreamWaitEvent(stream.handle, event, 0)', 'kSuccess']],
  },
  {
    name: 'readers that are written over',
    file: 'runtime_streams.cc',
    parts: ['programs'],
    changes: [['  for (const Point& reader : allocation.readers) WaitFor(stream, reader);\n', '']],
  },
  {
    name: 'memory given back too early',
    file: 'runtime_allocations.cc',
    parts: ['programs'],
    changes: [['    for (const Point& user : users) WaitFor(*device.releases, user);\n', '']],
  },
  {
    name: 'pinned memory used again too early',
    file: 'runtime_lane.cc',
    parts: ['calls'],
    changes: [['Retire(stream_->issued + 1, std::move(block));', 'Retire(0, std::move(block));']],
  },
  {
    name: 'a broadcast that does not wait',
    file: 'runtime_nccl.cc',
    parts: ['broadcasts'],
    changes: [
      ['    WaitToUse(*devices[rank]->broadcasts, *pieces[rank]->allocation, rank != root);\n', ''],
    ],
  },
  {
    name: 'a broadcast that nobody waits for',
    file: 'runtime_nccl.cc',
    parts: ['broadcasts'],
    changes: [['    MarkUse(pieces[rank]->allocation.get(), ends[rank], rank != root);\n', '']],
  },
  {
    name: 'a source that is written over while it is sent',
    file: 'runtime_nccl.cc',
    parts: ['broadcasts'],
    changes: [
      [
        '    if (ends[rank].stream == nullptr) continue;',
        '    if (ends[rank].stream == nullptr || rank == root) continue;',
      ],
    ],
  },
  {
    name: 'a stream that goes on beside a broadcast',
    file: 'runtime_nccl.cc',
    parts: ['broadcasts'],
    changes: [['    WaitFor(*stream, ends[static_cast<size_t>(rank)]);\n', '']],
  },
  {
    name: 'pinned memory made while a broadcast is launched',
    file: 'runtime_nccl.cc',
    parts: ['broadcasts'],
    changes: [['  const auto quiet = TheProcess().pinned.Quiet();\n', '']],
  },
  {
    name: 'devices that wait for one that is lost',
    file: 'runtime_nccl.cc',
    parts: ['faults'],
    changes: [['for (ncclComm* const rank : stuck) nccl_.CommAbort(rank);', '']],
  },
  {
    name: 'half an array that somebody may read',
    file: 'runtime_nccl.cc',
    parts: ['faults'],
    changes: [
      [
        '    for (Device* const device : late) {\n      Lose(',
        '    for (Device* const device : late) {\n      if (false) Lose(',
      ],
    ],
  },
];

export const cudaMutants = faults.map((fault) => ({ ...fault, folder: 'cuda', by: 'cuda' }));
