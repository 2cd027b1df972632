#include <array>
#include <cstdlib>
#include <string>

#include "exec/cpu/kernel.h"
#include "fmt/format.h"
#include "outerloop/base/error.h"

namespace outerloop::exec {
namespace {

struct IsaRow {
  Isa isa;
  std::string_view name;
};
constexpr std::array kIsas{IsaRow{Isa::scalar, "scalar"}, IsaRow{Isa::avx2, "avx2"},
                           IsaRow{Isa::avx512, "avx512"}};

Isa widest() {
  return runnable_isas().back();
}

}  // namespace

// The builtin asks the operating system too (xgetbv).
bool machine_runs(Isa isa) {
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (isa == Isa::scalar) return true;
  if (isa == Isa::avx2) return avx2;
  return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
}

std::vector<Isa> runnable_isas() {
  std::vector<Isa> result;
  for (const IsaRow& row : kIsas) {
    if (machine_runs(row.isa)) result.push_back(row.isa);
  }
  return result;
}

std::string_view name_of(Isa isa) {
  return kIsas[static_cast<size_t>(isa)].name;
}

Isa select_isa() {
  const char* wanted = std::getenv("OUTERLOOP_ISA");
  if (wanted == nullptr || *wanted == '\0') return widest();
  for (const IsaRow& row : kIsas) {
    if (row.name != wanted) continue;
    if (machine_runs(row.isa)) return row.isa;
    throw BadInput(
        fmt::format("OUTERLOOP_ISA asks for {}, which this processor does not run; "
                    "its widest is {}: unset OUTERLOOP_ISA",
                    wanted, name_of(widest())));
  }
  throw BadInput(fmt::format("OUTERLOOP_ISA must be scalar, avx2 or avx512, came \"{}\"", wanted));
}

}  // namespace outerloop::exec
