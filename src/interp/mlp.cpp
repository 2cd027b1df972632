#include "outerloop/interp/mlp.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "outerloop/base/error.h"
#include "outerloop/exec/executable.h"
#include "outerloop/interp/calibration.h"
#include "outerloop/ops/ops.h"

namespace outerloop::interp {

namespace {

// Rows of one run: the layers' values of so many stay in the first-level cache.
constexpr size_t kRowsOfBlock = 64;

size_t blocks_of(size_t rows) {
  return (rows + kRowsOfBlock - 1) / kRowsOfBlock;
}

Shape shape_of(size_t rows, size_t columns) {
  return {static_cast<int64_t>(rows), static_cast<int64_t>(columns)};
}

template <class T>
Tensor tensor_of(size_t rows, size_t columns, std::span<const double> values = {}) {
  const DType dtype = sizeof(T) == sizeof(float) ? DType::f32 : DType::f64;
  Tensor tensor(dtype, shape_of(rows, columns));
  std::ranges::transform(values, tensor.as<T>().begin(),
                         [](double v) { return static_cast<T>(v); });
  return tensor;
}

Expr input_like(Builder& builder, const char* name, const Tensor& tensor, Binding binding) {
  return builder.input(name, {tensor.dtype(), tensor.shape()}, binding);
}

// What a compiled program needs besides its pointers.
struct Plan {
  explicit Plan(const Program& program)
      : executable(exec::Executable::compile(program)), shared(executable) {}

  std::shared_ptr<const exec::Executable> executable;
  exec::SharedState shared;
};

// Values are kept with a row of the table per column, so that products with narrow layers are wide.
template <class T>
class TableMlp {
 public:
  TableMlp(const Mlp& mlp, const TableView& x)
      : mlp_(mlp), x_(x), columns_(tensor_of<T>(x.columns(), x.rows())) {
    for (const MlpLayer& layer : mlp_.layers) {
      weights_.push_back(tensor_of<T>(layer.inputs, layer.outputs, layer.weight));
      biases_.push_back(tensor_of<T>(layer.outputs, 1, layer.bias));
    }
    const std::span<T> columns = columns_.template as<T>();
    for (size_t i = 0; i < x.rows(); ++i) {
      for (size_t c = 0; c < x.columns(); ++c) {
        columns[c * x.rows() + i] = static_cast<T>(x.row(i)[c]);
      }
    }
    apply_first_layer();
  }

  void predict(const GatheredRows& rows, std::span<double> predictions) {
    OL_ASSERT(rows.x->values().data() == x_.values().data(), "rows of another table");
    const size_t width = std::max<size_t>(1, rows.columns.size());
    std::unique_ptr<Worker> worker = take_worker(width);
    take_group_weights(rows.columns, worker->group_weights.template as<T>());
    for (size_t begin = 0; begin < rows.size(); begin += kRowsOfBlock) {
      const GatheredRows block = rows.part(begin, std::min(kRowsOfBlock, rows.size() - begin));
      take_steps(block, worker->steps.template as<T>());
      worker->instance.bind_input(kKept, first_values(block.rows, *worker));
      worker->instance.run();
      const std::span<const T> output = std::as_const(worker->output).template as<T>();
      const size_t outputs = mlp_.outputs();
      for (size_t o = 0; o < outputs; ++o) {
        for (size_t i = 0; i < block.size(); ++i) {
          predictions[(begin + i) * outputs + o] =
              static_cast<double>(output[o * kRowsOfBlock + i]);
        }
      }
    }
    give_back(width, std::move(worker));
  }

 private:
  // Inputs of the program of a group, in order; then weight and bias of the layers after the first.
  static constexpr int kKept = 0, kGroupWeights = 1, kSteps = 2, kLayers = 3;

  // What one thread at a time works with, for groups of one width.
  struct Worker {
    Worker(const TableMlp& model, const Plan& plan, size_t width)
        : group_weights(tensor_of<T>(width, model.hidden())),
          steps(tensor_of<T>(width, kRowsOfBlock)),
          gathered(tensor_of<T>(model.hidden(), kRowsOfBlock)),
          output(tensor_of<T>(model.mlp_.outputs(), kRowsOfBlock)),
          workspace(plan.executable->lane_arena_bytes()),
          instance(plan.executable, plan.shared, workspace) {
      instance.bind_input(kGroupWeights, group_weights);
      instance.bind_input(kSteps, steps);
      model.bind_layers(instance);
      instance.bind_output(0, output);
    }

    Tensor group_weights;  // (columns of the group, first layer)
    Tensor steps;          // (columns of the group, row): donor - own
    Tensor gathered;       // (first layer, row), where rows do not follow each other
    Tensor output;         // (output, row)
    exec::Workspace workspace;
    exec::Instance instance;
  };

  struct Group {
    explicit Group(const Program& program) : plan(program) {}
    Plan plan;
    std::vector<std::unique_ptr<Worker>> idle;
  };

  size_t hidden() const { return mlp_.layers.front().outputs; }

  void bind_layers(auto& target) const {
    for (size_t l = 1; l < weights_.size(); ++l) {
      const int place = kLayers + 2 * static_cast<int>(l - 1);
      target.bind_input(place, weights_[l]);
      target.bind_input(place + 1, biases_[l]);
    }
  }

  Expr activated(Expr h) const {
    return mlp_.activation == MlpActivation::relu ? relu(h) : tanh(h);
  }

  Program group_program(size_t width) const {
    Builder builder;
    const Tensor kept = tensor_of<T>(hidden(), kRowsOfBlock);
    const Tensor group_weights = tensor_of<T>(width, hidden());
    const Tensor steps = tensor_of<T>(width, kRowsOfBlock);
    const Expr z = input_like(builder, "kept", kept, Binding::per_lane);
    const Expr w = input_like(builder, "group_weights", group_weights, Binding::per_lane);
    const Expr d = input_like(builder, "steps", steps, Binding::per_lane);
    Expr h = z + matmul(w, d, true);
    for (size_t l = 1; l < weights_.size(); ++l) {
      const Expr weight =
          input_like(builder, fmt::format("weight{}", l).c_str(), weights_[l], Binding::shared);
      const Expr bias =
          input_like(builder, fmt::format("bias{}", l).c_str(), biases_[l], Binding::shared);
      h = matmul(weight, activated(h), true) + bias;
    }
    builder.output("output", h);
    return builder.finish();
  }

  void apply_first_layer() {
    Builder builder;
    Tensor rows = tensor_of<T>(x_.columns(), kRowsOfBlock);
    const Expr x = input_like(builder, "x", rows, Binding::per_lane);
    const Expr w = input_like(builder, "weight", weights_[0], Binding::shared);
    const Expr b = input_like(builder, "bias", biases_[0], Binding::shared);
    builder.output("kept", matmul(w, x, true) + b);
    Plan plan(builder.finish());
    const exec::Workspace workspace(plan.executable->lane_arena_bytes());
    exec::Instance instance(plan.executable, plan.shared, workspace);
    for (auto* target : {&instance}) {
      target->bind_input(0, rows);
      target->bind_input(1, weights_[0]);
      target->bind_input(2, biases_[0]);
    }
    plan.shared.bind_input(1, weights_[0]);
    plan.shared.bind_input(2, biases_[0]);
    plan.shared.run();
    kept_ = tensor_of<T>(blocks_of(x_.rows()), hidden() * kRowsOfBlock);
    const std::span<const T> columns = std::as_const(columns_).template as<T>();
    for (size_t begin = 0; begin < x_.rows(); begin += kRowsOfBlock) {
      const size_t count = std::min(kRowsOfBlock, x_.rows() - begin);
      for (size_t c = 0; c < x_.columns(); ++c) {
        const auto column = columns.subspan(c * x_.rows() + begin, count);
        std::ranges::copy(column, rows.template as<T>().subspan(c * kRowsOfBlock).begin());
      }
      instance.bind_output(0, kept_.template as<T>().subspan(begin * hidden()).data());
      instance.run();
    }
  }

  std::unique_ptr<Worker> take_worker(size_t width) {
    const std::lock_guard lock(mutex_);
    auto [place, fresh] = groups_.try_emplace(width);
    if (fresh) {
      place->second = std::make_unique<Group>(group_program(width));
      bind_layers(place->second->plan.shared);
      place->second->plan.shared.run();
    }
    Group& group = *place->second;
    if (group.idle.empty()) return std::make_unique<Worker>(*this, group.plan, width);
    std::unique_ptr<Worker> worker = std::move(group.idle.back());
    group.idle.pop_back();
    return worker;
  }

  void give_back(size_t width, std::unique_ptr<Worker> worker) {
    const std::lock_guard lock(mutex_);
    groups_.at(width)->idle.push_back(std::move(worker));
  }

  void take_group_weights(std::span<const uint32_t> group, std::span<T> result) const {
    const std::span<const T> all = weights_[0].template as<T>();
    for (size_t j = 0; j < group.size(); ++j) {
      std::ranges::copy(all.subspan(group[j] * hidden(), hidden()),
                        result.subspan(j * hidden()).begin());
    }
  }

  // Without columns all are 0: the rows as they are.
  void take_steps(const GatheredRows& block, std::span<T> steps) const {
    if (block.columns.empty()) std::ranges::fill(steps, T{0});
    for (size_t j = 0; j < block.columns.size(); ++j) {
      const uint32_t c = block.columns[j];
      T* const row = steps.subspan(j * kRowsOfBlock, kRowsOfBlock).data();
      const T* const column = columns_.template as<T>().data() + c * x_.rows();
      for (size_t i = 0; i < block.size() && block.residuals == nullptr; ++i) {
        row[i] = column[block.donors[i]] - column[block.rows[i]];
      }
      for (size_t i = 0; i < block.size() && block.residuals != nullptr; ++i) {
        row[i] = static_cast<T>(block.residuals->row(block.donors[i])[c] -
                                block.residuals->row(block.rows[i])[c]);
      }
    }
  }

  // Of the first layer, (first layer, row): where it was kept, if the rows are there side by side
  // (each once: donors may repeat).
  const T* first_values(std::span<const uint32_t> rows, Worker& worker) const {
    const std::span<const T> kept = kept_.template as<T>();
    const auto block = [&](size_t row) { return row / kRowsOfBlock * hidden() * kRowsOfBlock; };
    const bool in_place = rows[0] % kRowsOfBlock == 0 && rows.back() == rows[0] + rows.size() - 1 &&
                          std::ranges::adjacent_find(rows, std::greater_equal{}) == rows.end();
    if (in_place) return kept.subspan(block(rows[0])).data();
    const std::span<T> gathered = worker.gathered.template as<T>();
    for (size_t i = 0; i < rows.size(); ++i) {
      const auto values = kept.subspan(block(rows[i]) + rows[i] % kRowsOfBlock);
      for (size_t h = 0; h < hidden(); ++h)
        gathered[h * kRowsOfBlock + i] = values[h * kRowsOfBlock];
    }
    return gathered.data();
  }

  Mlp mlp_;
  TableView x_;
  Tensor columns_;                                   // (column, row) of x
  std::vector<Tensor> weights_, biases_;             // by layer: (inputs, outputs), (outputs, 1)
  Tensor kept_;                                      // (block of rows, first layer, row)
  std::mutex mutex_;                                 // of the groups
  std::map<size_t, std::unique_ptr<Group>> groups_;  // by width
};

template <class T>
BlockModel answers_of(const Mlp& mlp, const TableView& x) {
  const auto model = std::make_shared<TableMlp<T>>(mlp, x);
  const size_t outputs = mlp.outputs();
  return {.width = outputs,
          .predict = [model, outputs](const GatheredRows& rows, std::span<double> predictions) {
            model->predict(rows, predictions);
            if (outputs == 1) return;
            std::ranges::copy(softmax({predictions, outputs}), predictions.begin());
          }};
}

}  // namespace

std::string Mlp::shape() const {
  std::string text = std::to_string(inputs());
  for (const MlpLayer& layer : layers) text += fmt::format("-{}", layer.outputs);
  return text;
}

double Mlp::dense_flops() const {
  double products = 0;
  for (const MlpLayer& layer : layers) products += static_cast<double>(layer.weight.size());
  return 2 * products;
}

BlockModel mlp_on_table(const Mlp& mlp, const TableView& x, MlpPrecision precision) {
  OL_ASSERT(x.columns() == mlp.inputs(), "a table of another width than the network");
  return precision == MlpPrecision::float32 ? answers_of<float>(mlp, x)
                                            : answers_of<double>(mlp, x);
}

}  // namespace outerloop::interp
