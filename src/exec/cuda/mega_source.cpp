#include "exec/cuda/mega_source.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace outerloop::exec::cuda {
namespace {

// Enough for a part to be worth its call, and few for the compiler: of the learned optimiser's 329
// cases, eight or 32 a part compile in about the same time.
constexpr size_t kCasesOfPart = 16;

// For how many blocks of a multiprocessor its registers must do: those that fit its shared memory
// where there is most of it, at most three. Left to itself, the compiler rather spills some than
// have fewer.
int64_t blocks_of_multiprocessor(int64_t shared_bytes) {
  constexpr int64_t kSharedOfSystem = 1024, kMostBlocks = 3;
  return std::clamp<int64_t>(MegaSource::kMostSharedBytes / (shared_bytes + kSharedOfSystem), 1,
                             kMostBlocks);
}

std::string address(Place place, const std::string& number) {
  constexpr int64_t kUnit = MegaSource::kUnit;
  if (place == Place::lane_arena) return fmt::format("arena + {}U * {}", kUnit, number);
  if (place == Place::lane_overflow) return fmt::format("overflow + {}U * {}", kUnit, number);
  return fmt::format("ol::address(operands, {}, blockIdx.x)", number);
}

}  // namespace

void MegaSource::add(const StepKernel& kernel, const Location* operands) {
  scratch_bytes_ = std::max(scratch_bytes_, kernel.code.scratch_bytes);
  Call call;
  std::vector<Place> places;
  for (int operand : kernel.operands) {
    places.push_back(operands[operand].place);
    call.operands.push_back(number_of(operands[operand]));
  }
  call.number = case_of(kernel.code, std::move(places));
  calls_.push_back(std::move(call));
}

MegaKernel MegaSource::kernel(int64_t arena_bytes) const {
  const int64_t blocks = blocks_of_multiprocessor(arena_bytes + scratch_bytes_);
  const std::string bounds = fmt::format("{}, {}", kTeam.threads, blocks);
  const bool as_table = steps() > 2 * cases();
  // The bounds hold for the kernel alone where a driver links it: its functions may take registers
  // that several blocks do not have.
  const bool in_parts = as_table && blocks == 1;
  const std::string functions =
      functions_ + fmt::format("__shared__ double scratch_memory[{}];\n", scratch_bytes_ / 8 + 1) +
      (as_table ? table() : "") + (in_parts ? parts() : "");
  const std::string calls = in_parts   ? loop_over_table(calls_of_parts())
                            : as_table ? memory() + loop_over_table(switch_over(0, cases_.size()))
                                       : memory() + all_calls();
  KernelSource source = named("lane", [&](const std::string& name) {
    return fmt::format(
        "namespace {0}_code {{\n{1}}}\n"
        "extern \"C\" __global__ void __launch_bounds__({2})\n"
        "    {0}(const __grid_constant__ {3} operands) {{\n"
        "using namespace {0}_code;\n"
        "{4}}}\n",
        name, functions, bounds, operands_type(), calls);
  });
  source.shared_bytes = static_cast<size_t>(arena_bytes);
  return {.source = std::move(source), .threads = kTeam.threads, .operands = operands_};
}

size_t MegaSource::case_of(const KernelCode& code, std::vector<Place> places) {
  const auto [known, is_new] = functions_by_text_.try_emplace(code.run, functions_by_text_.size());
  if (is_new) functions_ += fmt::format("namespace s{} {{\n{}}}\n", known->second, code.run);
  Case one{known->second, code.blocks, std::move(places)};
  const auto found = std::ranges::find(cases_, one);
  const auto number = static_cast<size_t>(found - cases_.begin());
  if (found == cases_.end()) cases_.push_back(std::move(one));
  return number;
}

// An offset in units, or the number of a kernel's operand.
int64_t MegaSource::number_of(const Location& location) {
  if (location.place == Place::lane_arena) return location.at / kUnit;
  if (location.place != Place::lane_overflow) return operand(location);
  operand({location.place, 0});
  return location.at / kUnit;
}

int64_t MegaSource::operand(const Location& location) {
  const auto found = std::ranges::find(operands_, location);
  const auto place = found - operands_.begin();
  if (found == operands_.end()) operands_.push_back(location);
  return place;
}

std::string MegaSource::operands_type() const {
  return fmt::format("ol::Operands<{}>", std::max<size_t>(operands_.size(), 1));
}

// What calls name beside the operands.
std::string MegaSource::memory() const {
  std::string text =
      "OL_DYNAMIC_SHARED(arena);\n"
      "char* const scratch = reinterpret_cast<char*>(scratch_memory);\n";
  const auto found = std::ranges::find(operands_, Location{Place::lane_overflow, 0});
  if (found != operands_.end()) {
    text += fmt::format("char* const overflow = ol::address(operands, {}, blockIdx.x);\n",
                        found - operands_.begin());
  }
  return text;
}

std::string MegaSource::text_of(const Case& one, const std::vector<std::string>& numbers) {
  std::vector<std::string> addresses;
  for (size_t i = 0; i < numbers.size(); ++i) {
    addresses.push_back(address(one.places[i], numbers[i]));
  }
  std::string text = fmt::format("{{\nconst ol::Pointers<{}> q({});\n", addresses.size(),
                                 fmt::join(addresses, ", "));
  if (one.blocks == 1) {
    text += fmt::format("s{}::run(q, 0, scratch);\n__syncthreads();\n", one.function);
  } else {
    text += fmt::format(
        "#pragma unroll 1\nfor (unsigned block = 0; block < {}U; ++block) {{\n"
        "s{}::run(q, block, scratch);\n__syncthreads();\n}}\n",
        one.blocks, one.function);
  }
  return text + "}\n";
}

std::string MegaSource::all_calls() const {
  std::string text;
  for (const Call& call : calls_) {
    std::vector<std::string> numbers;
    for (int64_t number : call.operands) numbers.push_back(std::to_string(number));
    text += text_of(cases_[call.number], numbers);
  }
  return text;
}

// Of each call its case, then its operands.
std::string MegaSource::table() const {
  std::string text = "__device__ const unsigned short kCalls[] = {\n";
  for (const Call& call : calls_) {
    text += fmt::format("{},", call.number);
    for (int64_t number : call.operands) text += fmt::format("{},", number);
    text += '\n';
  }
  return text + "};\n";
}

// Runs the call that begins at kCalls[at], if it is of one of these cases.
std::string MegaSource::switch_over(size_t begin, size_t end) const {
  std::string text = "switch (kCalls[at]) {\n";
  for (size_t c = begin; c < end; ++c) {
    std::vector<std::string> numbers;
    for (size_t i = 0; i < cases_[c].places.size(); ++i) {
      numbers.push_back(fmt::format("kCalls[at + {}]", i + 1));
    }
    text += fmt::format("case {}: {{\n{}length = {};\nbreak;\n}}\n", c, text_of(cases_[c], numbers),
                        numbers.size() + 1);
  }
  return text + "}\n";
}

// Functions of a few cases each, which give the length of the call.
std::string MegaSource::parts() const {
  std::string text;
  for (size_t part = 0; part * kCasesOfPart < cases_.size(); ++part) {
    text += fmt::format(
        "__device__ __noinline__ unsigned part{}(const {}& operands, unsigned at) {{\n{}"
        "unsigned length = 0;\n{}return length;\n}}\n",
        part, operands_type(), memory(),
        switch_over(part * kCasesOfPart, std::min((part + 1) * kCasesOfPart, cases_.size())));
  }
  return text;
}

std::string MegaSource::calls_of_parts() const {
  std::string text = fmt::format("switch (kCalls[at] / {}U) {{\n", kCasesOfPart);
  for (size_t part = 0; part * kCasesOfPart < cases_.size(); ++part) {
    text += fmt::format("case {0}: length = part{0}(operands, at); break;\n", part);
  }
  return text + "}\n";
}

std::string MegaSource::loop_over_table(const std::string& call) const {
  return fmt::format(
      "unsigned at = 0;\n#pragma unroll 1\nfor (unsigned step = 0; step < {}U; ++step) {{\n"
      "unsigned length = 0;\n{}at += length;\n}}\n",
      calls_.size(), call);
}

}  // namespace outerloop::exec::cuda
