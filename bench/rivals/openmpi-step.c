// The training step on Open MPI: every rank holds gradients, weights and momentum of its own. A
// bucket of gradients at a time is summed in place by MPI_Allreduce, and then every rank updates its
// weights by SGD with momentum in one pass.
//
//   mpirun -n RANKS openmpi-step ELEMENTS
//
// Rank 0 says `ready`, then takes commands, one a line, until its input ends:
//
//   step TIMES   does the step TIMES times: `took` all of it, then each, in microseconds
//   check        two steps from zero: `wrong` and how many weights are not what they should be
#include <mpi.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kEnd = 0, kStep = 1, kCheck = 2, kCheckSteps = 2, kMaxTimes = 1000000, kPage = 4096 };

// Buckets as large as DDP's took 1.0 to 1.3 times as long here, the whole list twice as long.
static const long kBucket = (1 << 20) / sizeof(float);

// How rank 0 wakes the others: in memory that they share, because ranks that wait inside MPI poll,
// which would slow down what is measured in between.
typedef struct {
  sem_t given;
  int command;
  long times;
} Orders;

static int rank, ranks;
static long elements;
static float *gradients, *weights, *momentum;
static double *took;

static float *Zeros(void) {
  const size_t bytes = (elements * sizeof(float) + kPage - 1) / kPage * kPage;
  float *array = aligned_alloc(kPage, bytes);
  if (array == NULL) MPI_Abort(MPI_COMM_WORLD, 1);
  memset(array, 0, bytes);
  return array;
}

static float GradientAt(long i, int device) { return (float)((i * 7 + device * 3) % 11 + 1); }

static void Update(const float *restrict sum, float *restrict w, float *restrict m, long count) {
  for (long i = 0; i < count; i++) {
    m[i] = 0.5f * m[i] - 0.5f * sum[i];
    w[i] += m[i];
  }
}

static void Step(void) {
  for (long begin = 0; begin < elements; begin += kBucket) {
    const long left = elements - begin, count = left < kBucket ? left : kBucket;
    float *sum = gradients + begin;
    MPI_Allreduce(MPI_IN_PLACE, sum, (int)count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
    Update(sum, weights + begin, momentum + begin, count);
  }
}

static void Steps(long times) {
  MPI_Barrier(MPI_COMM_WORLD);
  const double begin = MPI_Wtime();
  for (long i = 0; i < times; i++) {
    const double stepBegin = MPI_Wtime();
    Step();
    took[i] = (MPI_Wtime() - stepBegin) * 1e6;
  }
  MPI_Barrier(MPI_COMM_WORLD);
  if (rank != 0) return;
  printf("took %.3f", (MPI_Wtime() - begin) * 1e6);
  for (long i = 0; i < times; i++) printf(" %.3f", took[i]);
  printf("\n");
}

static void Clear(void) {
  memset(gradients, 0, elements * sizeof(float));
  memset(weights, 0, elements * sizeof(float));
  memset(momentum, 0, elements * sizeof(float));
}

static void Check(void) {
  Clear();
  for (int step = 0; step < kCheckSteps; step++) {
    for (long i = 0; i < elements; i++) gradients[i] = GradientAt(i, rank);
    Step();
  }
  long wrong = 0, all = 0;
  for (long i = 0; i < elements; i++) {
    float sum = 0;
    for (int device = 0; device < ranks; device++) sum += GradientAt(i, device);
    // m1 = -sum / 2; m2 = m1 / 2 - sum / 2; w2 = m1 + m2.
    if (weights[i] != -1.25f * sum) wrong++;
  }
  MPI_Reduce(&wrong, &all, 1, MPI_LONG, MPI_SUM, 0, MPI_COMM_WORLD);
  if (rank == 0) printf("wrong %ld\n", all);
  // The sum is where the gradients were. Zeros stay zeros, however often they are added.
  Clear();
}

static Orders *SharedOrders(MPI_Win *window) {
  const MPI_Aint bytes = rank == 0 ? sizeof(Orders) : 0;
  Orders *orders;
  MPI_Win_allocate_shared(bytes, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &orders, window);
  MPI_Aint size;
  int unit;
  MPI_Win_shared_query(*window, 0, &size, &unit, &orders);
  if (rank == 0) sem_init(&orders->given, 1, 0);
  MPI_Barrier(MPI_COMM_WORLD);
  return orders;
}

static void Give(Orders *orders, int command, long times) {
  orders->command = command;
  orders->times = times;
  for (int other = 1; other < ranks; other++) sem_post(&orders->given);
}

static void ReadOrder(Orders *orders) {
  char line[64];
  long times = 0;
  if (fgets(line, sizeof line, stdin) == NULL) {
    Give(orders, kEnd, 0);
  } else if (strcmp(line, "check\n") == 0) {
    Give(orders, kCheck, 0);
  } else if (sscanf(line, "step %ld", &times) == 1 && times >= 1 && times <= kMaxTimes) {
    Give(orders, kStep, times);
  } else {
    fprintf(stderr, "expected step TIMES or check, got %s", line);
    MPI_Abort(MPI_COMM_WORLD, 2);
  }
}

int main(int count, char **arguments) {
  MPI_Init(&count, &arguments);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  elements = count == 2 ? atol(arguments[1]) : 0;
  if (elements < 1) MPI_Abort(MPI_COMM_WORLD, 2);
  gradients = Zeros();
  weights = Zeros();
  momentum = Zeros();
  took = malloc(kMaxTimes * sizeof *took);
  MPI_Win window;
  Orders *orders = SharedOrders(&window);
  if (rank == 0) printf("ready\n");
  for (;;) {
    fflush(stdout);
    if (rank == 0) {
      ReadOrder(orders);
    } else {
      sem_wait(&orders->given);
    }
    const int command = orders->command;
    const long times = orders->times;
    if (command == kEnd) break;
    // Nobody may take the next order for this one.
    MPI_Barrier(MPI_COMM_WORLD);
    if (command == kStep) Steps(times);
    if (command == kCheck) Check();
  }
  MPI_Win_free(&window);
  MPI_Finalize();
  return 0;
}
