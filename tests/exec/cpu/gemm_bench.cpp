// Prints the speed of matmul and convolution kernels at the sizes of few-shot learning, in GF/s of
// dense operations and as a fraction of the FMA peak probed in the same run. For work on their
// code: more shapes than `outerloop bench ops` has, both types, and what making a kernel takes.
//
//   build/release/gemm_bench [avx512|avx2] [f32|f64] [part of a name]

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "exec/cpu/kernel.h"
#include "outerloop/exec/fma_peak.h"

namespace outerloop::exec {
namespace {

double seconds(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// Median processor time of one call, over batches of about half a millisecond.
double time_of(const Kernel& kernel, void* const* operands) {
  const auto batch = [&](int calls) {
    const double start = seconds(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < calls; ++i) kernel(operands);
    return (seconds(CLOCK_THREAD_CPUTIME_ID) - start) / calls;
  };
  batch(3);
  const int calls = std::clamp(static_cast<int>(5e-4 / batch(3)), 1, 100'000);
  std::vector<double> times(41);
  for (double& time : times) time = batch(calls);
  std::ranges::nth_element(times, times.begin() + 20);
  return times[20];
}

// Numbers in [-1, 1), so that the multipliers have work to do.
void fill(void* memory, size_t count, DType dtype) {
  uint32_t state = 1;
  for (size_t i = 0; i < count; ++i) {
    state = state * 1664525 + 1013904223;
    const double value = static_cast<int32_t>(state) / 2147483648.0;
    if (dtype == DType::f64) {
      static_cast<double*>(memory)[i] = value;
    } else {
      static_cast<float*>(memory)[i] = static_cast<float>(value);
    }
  }
}

struct Options {
  Isa isa = select_isa();
  DType dtype = DType::f32;
  std::string filter;
};

void report(const Options& options, const std::string& name, int64_t macs,
            const std::vector<int64_t>& counts, const auto& make) {
  if (name.find(options.filter) == std::string::npos) return;
  const double start = seconds(CLOCK_MONOTONIC);
  const Kernel kernel = make();
  const double made = seconds(CLOCK_MONOTONIC) - start;
  std::vector<std::vector<char>> memory;
  std::vector<void*> operands;
  for (const int64_t count : counts) {
    memory.emplace_back(static_cast<size_t>(count) * size_of(options.dtype) + 64);
    const auto address = reinterpret_cast<uintptr_t>(memory.back().data());
    operands.push_back(memory.back().data() + (64 - address % 64) % 64);
    fill(operands.back(), static_cast<size_t>(count), options.dtype);
  }
  const double time = time_of(kernel, operands.data());
  const double speed = 2e-9 * static_cast<double>(macs) / time;
  const double peak = measure_fma_peak(options.isa, options.dtype);
  std::printf("%-34s %9.3f us %8.1f GF/s %6.1f %% of %.0f   made in %.2f ms\n", name.c_str(),
              1e6 * time, speed, 100 * speed / peak, peak, 1e3 * made);
}

void bench_matmul(const Options& options, int64_t m, int64_t n, int64_t k, bool transposed = false,
                  int64_t batch = 1) {
  const MatmulSpec spec{.dtype = options.dtype,
                        .batch = batch,
                        .m = m,
                        .n = n,
                        .k = k,
                        .a_batch = m * k,
                        .a_row = transposed ? 1 : k,
                        .a_k = transposed ? m : 1,
                        .b_batch = k * n,
                        .b_k = n,
                        .epilogue = store_epilogue(options.dtype, m * n, n)};
  std::string name = "matmul " + std::to_string(m) + "x" + std::to_string(n) + "x" +
                     std::to_string(k) + (transposed ? " A^T" : "");
  if (batch > 1) name += " batch " + std::to_string(batch);
  report(options, name, batch * m * n * k, {batch * m * k, batch * k * n, batch * m * n},
         [&] { return make_matmul(spec, options.isa); });
}

// The forward step of a hidden layer: bias, then both sides of the ReLU.
void bench_layer(const Options& options, int64_t m, int64_t n, int64_t k) {
  ScalarBuilder builder(options.dtype, 2);
  const Scalar biased = builder.input(0) + builder.input(1);
  const std::array outputs{biased, max(biased, builder.constant(0))};
  const MatmulSpec spec{.dtype = options.dtype,
                        .m = m,
                        .n = n,
                        .k = k,
                        .a_row = k,
                        .b_k = n,
                        .epilogue = {.body = builder.finish(outputs),
                                     .inputs = {{0, 0, 1}},
                                     .outputs = {{0, n, 1}, {0, n, 1}}}};
  report(options,
         "layer " + std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k) +
             " bias relu",
         m * n * k, {m * k, k * n, n, m * n, m * n},
         [&] { return make_matmul(spec, options.isa); });
}

void bench_conv(const Options& options, int64_t images, int64_t size, int64_t in, int64_t out,
                int64_t stride, int64_t kernel = 3) {
  const int64_t pad = kernel / 2;
  const int64_t out_size = (size + 2 * pad - kernel) / stride + 1;
  const ConvGeometry g{.images = images,
                       .height = size,
                       .width = size,
                       .in_channels = in,
                       .out_height = out_size,
                       .out_width = out_size,
                       .out_channels = out,
                       .kernel_height = kernel,
                       .kernel_width = kernel,
                       .stride = stride,
                       .pad_top = pad,
                       .pad_left = pad};
  const int64_t x = images * size * size * in, y = images * out_size * out_size * out;
  const int64_t w = kernel * kernel * in * out;
  const std::string name = "conv " + std::to_string(images) + "x" + std::to_string(size) + "->" +
                           std::to_string(out_size) + " " + std::to_string(in) + "->" +
                           std::to_string(out);
  const auto one = [&](const char* direction_name, ConvDirection direction, int64_t columns,
                       std::vector<int64_t> counts) {
    const ConvSpec spec{.dtype = options.dtype,
                        .direction = direction,
                        .geometry = g,
                        .epilogue = store_epilogue(options.dtype, 0, columns)};
    report(options, name + direction_name, images * out_size * out_size * w, counts,
           [&] { return make_conv(spec, options.isa); });
  };
  one(" forward", ConvDirection::forward, out, {x, w, y});
  one(" input", ConvDirection::input, in, {y, w, x});
  one(" filter", ConvDirection::filter, out, {x, y, w});
}

int run(int argc, char** argv) {
  Options options;
  for (const std::string& word : std::vector<std::string>(argv + 1, argv + argc)) {
    if (word == "avx2" || word == "avx512") {
      options.isa = word == "avx2" ? Isa::avx2 : Isa::avx512;
    } else if (word == "f32" || word == "f64") {
      options.dtype = word == "f64" ? DType::f64 : DType::f32;
    } else {
      options.filter = word;
    }
  }
  bench_matmul(options, 10, 40, 40);
  bench_matmul(options, 40, 40, 10, true);
  bench_matmul(options, 40, 10, 40);
  bench_matmul(options, 64, 64, 64);
  bench_matmul(options, 245, 64, 576);
  bench_matmul(options, 20, 64, 576);
  bench_matmul(options, 7, 64, 64);
  bench_matmul(options, 5, 5, 64);
  bench_matmul(options, 1, 40, 40);
  bench_matmul(options, 1, 1024, 64);
  bench_matmul(options, 10, 1, 40);
  bench_matmul(options, 40, 1, 10, true);
  bench_matmul(options, 256, 1, 256);
  bench_matmul(options, 10, 40, 1);
  bench_matmul(options, 512, 512, 512);
  bench_matmul(options, 1024, 1024, 1024);
  bench_matmul(options, 64, 64, 4096);
  bench_matmul(options, 64, 1024, 1024);
  bench_matmul(options, 64, 1000, 1000);
  bench_matmul(options, 100, 256, 2048);
  bench_matmul(options, 25, 1600, 64);
  bench_matmul(options, 10, 40, 40, false, 25);
  bench_layer(options, 10, 40, 40);
  bench_layer(options, 64, 64, 64);
  bench_conv(options, 5, 28, 1, 64, 2);
  bench_conv(options, 5, 14, 64, 64, 2);
  bench_conv(options, 5, 7, 64, 64, 2);
  bench_conv(options, 5, 4, 64, 64, 2);
  bench_conv(options, 5, 28, 1, 64, 1);
  bench_conv(options, 5, 28, 64, 64, 1);
  bench_conv(options, 5, 14, 64, 64, 1);
  bench_conv(options, 5, 84, 3, 32, 1);
  bench_conv(options, 5, 42, 32, 32, 1);
  bench_conv(options, 1, 14, 64, 64, 2);
  bench_conv(options, 200, 14, 64, 64, 2);
  return 0;
}

}  // namespace
}  // namespace outerloop::exec

int main(int argc, char** argv) {
  return outerloop::exec::run(argc, argv);
}
