#include <algorithm>
#include <memory>
#include <random>
#include <thread>

#include "support.h"
#include "watchdog.h"

// Random programs on threads. Calls are made one after the other, so that it is known what each
// array holds; what they queue runs as the runtime and the stand-in let it.
namespace tensorkv::test {
namespace {

constexpr size_t kThreads = 4, kArrays = 10, kSteps = 150;

struct Array {
  uint64_t id = 0;
  int device = 0;
  std::vector<float> values;
  std::vector<size_t> holds = std::vector<size_t>(kThreads);  // a thread
};

class Program {
 public:
  explicit Program(uint64_t seed) : seed_(seed), arrays_(kArrays) {}

  void Run() {
    std::vector<std::thread> threads;
    for (size_t k = 0; k < kThreads; ++k) {
      threads.emplace_back([this, k] { RunThread(k); });
    }
    for (std::thread& thread : threads) thread.join();
  }

 private:
  struct Worker {
    size_t number;
    std::mt19937_64 random;
    std::unique_ptr<Thread> thread = std::make_unique<Thread>();
    struct Expected {
      uint64_t note;
      std::vector<float> values;
    };
    std::vector<Expected> expected = {};

    size_t Below(size_t n) { return random() % n; }
  };

  void RunThread(size_t number) {
    Worker worker = {number, std::mt19937_64(seed_ * 31 + number)};
    for (size_t step = 0; step < kSteps; ++step) {
      {
        const std::lock_guard lock(mutex_);
        Step(worker);
      }
      if (worker.expected.size() > worker.Below(8)) Settle(worker);
      if (worker.Below(4) == 0) std::this_thread::yield();
      Watchdog::Note();
    }
    const std::lock_guard lock(mutex_);
    Die(worker);
  }

  void Step(Worker& worker) {
    Array& array = arrays_[worker.Below(kArrays)];
    if (array.id == 0) return Allocate(worker, array);
    switch (worker.Below(40)) {
      case 0:
        return Die(worker);
      case 1:
      case 2:
        return Drop(worker, array);
      case 3:
      case 4:
        (*worker.thread)->Retain(array.id);
        ++array.holds[worker.number];
        return;
      case 5:
      case 6:
      case 7:
      case 8:
        return Upload(worker, array);
      case 9:
      case 10:
      case 11:
      case 12:
      case 13:
        return Copy(worker, array);
      case 14:
        worker.expected.push_back({(*worker.thread)->WhenReady(array.id), {}});
        return;
      case 15: {
        CHECK(Read(*worker.thread, array.id, array.values.size()) == array.values);
        return;
      }
      default:
        if (worker.Below(4) == 0) return Download(worker, array);
        return Compute(worker, array);
    }
  }

  void Allocate(Worker& worker, Array& array) {
    array.device = static_cast<int>(worker.Below(2));
    array.values.assign(worker.Below(8) == 0 ? 20'000 : 1 + worker.Below(600), 0);
    array.id = (*worker.thread)->Allocate(array.device, array.values.size() * sizeof(float));
    array.holds[worker.number] = 1;
  }

  // The worker lets go of what it holds once; who holds nothing any more is gone.
  void Drop(Worker& worker, Array& array) {
    if (array.holds[worker.number] == 0) return;
    (*worker.thread)->Release(array.id);
    --array.holds[worker.number];
    Forget(array);
  }

  static void Forget(Array& array) {
    if (std::ranges::all_of(array.holds, [](size_t count) { return count == 0; })) array = Array();
  }

  // Its thread ends with all that is in flight, and another comes.
  void Die(Worker& worker) {
    worker.expected.clear();
    worker.thread = std::make_unique<Thread>();
    for (Array& array : arrays_) {
      array.holds[worker.number] = 0;
      if (array.id != 0) Forget(array);
    }
  }

  void Upload(Worker& worker, Array& array) {
    const size_t begin = worker.Below(array.values.size());
    const size_t count = 1 + worker.Below(array.values.size() - begin);
    std::vector<float> values(count);
    for (float& value : values) value = static_cast<float>(worker.Below(1000));
    (*worker.thread)->Upload(values.data(), count * sizeof(float), array.id, begin * sizeof(float));
    std::ranges::copy(values, array.values.begin() + static_cast<ptrdiff_t>(begin));
  }

  void Copy(Worker& worker, Array& from) {
    Array& to = arrays_[worker.Below(kArrays)];
    if (to.id == 0 || to.id == from.id) return;
    const size_t count = 1 + worker.Below(std::min(from.values.size(), to.values.size()));
    const size_t begin = worker.Below(from.values.size() - count + 1);
    const size_t target = worker.Below(to.values.size() - count + 1);
    (*worker.thread)->Copy(from.id, begin * 4, to.id, target * 4, count * 4);
    std::copy_n(from.values.begin() + static_cast<ptrdiff_t>(begin), count,
                to.values.begin() + static_cast<ptrdiff_t>(target));
  }

  void Download(Worker& worker, const Array& array) {
    const size_t bytes = array.values.size() * sizeof(float);
    worker.expected.push_back({(*worker.thread)->DownloadAsync(array.id, 0, bytes), array.values});
  }

  // A list of fills and sums of one device.
  void Compute(Worker& worker, Array& first) {
    Words words;
    const size_t operations = 1 + worker.Below(12);
    Array* out = &first;
    for (size_t k = 0; k < operations; ++k) {
      std::vector<Array*> inputs, outs = {out};
      for (size_t j = worker.Below(4); j-- > 0;) {
        Array& input = arrays_[worker.Below(kArrays)];
        if (input.id != 0 && input.device == first.device) inputs.push_back(&input);
      }
      Array& other = arrays_[worker.Below(kArrays)];
      if (other.id != 0 && other.device == first.device && &other != out) outs.push_back(&other);
      Apply(worker, words, inputs, outs);
      Array& next = arrays_[worker.Below(kArrays)];
      if (next.id != 0 && next.device == first.device) out = &next;
    }
    words.Run(worker.thread->operator->(), first.device);
  }

  static void Apply(Worker& worker, Words& words, const std::vector<Array*>& inputs,
                    const std::vector<Array*>& outs) {
    size_t length = outs[0]->values.size();
    for (const auto* const list : {&inputs, &outs}) {
      for (const Array* each : *list) length = std::min(length, each->values.size());
    }
    if (inputs.empty()) {
      const auto value = static_cast<float>(worker.Below(100));
      words.Fill(length, value, {outs[0]->id});
      std::fill_n(outs[0]->values.begin(), length, value);
      return;
    }
    std::vector<Part> from, to;
    for (const Array* each : inputs) from.push_back({each->id});
    for (const Array* each : outs) to.push_back({each->id});
    words.Sum(length, from, to);
    for (size_t i = 0; i < length; ++i) {
      float sum = inputs[0]->values[i];
      for (size_t k = 1; k < inputs.size(); ++k) sum += inputs[k]->values[i];
      for (Array* each : outs) each->values[i] = sum;
    }
  }

  static void Settle(Worker& worker) {
    for (const Worker::Expected& each : worker.expected) {
      const cuda::Arrival arrival = worker.thread->Await(each.note);
      CHECK(arrival.error.empty());
      const size_t bytes = each.values.size() * sizeof(float);
      CHECK(bytes == 0 || std::memcmp(arrival.block.data(), each.values.data(), bytes) == 0);
    }
    worker.expected.clear();
  }

  const uint64_t seed_;
  std::mutex mutex_;
  std::vector<Array> arrays_;
};

}  // namespace

void TestPrograms(uint64_t seed) {
  for (uint64_t k = 0; k < 6; ++k) Program(seed + k).Run();
}

}  // namespace tensorkv::test
