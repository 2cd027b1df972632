#include <fmt/format.h>

#include "exec/oracle_kernels.h"
#include "outerloop/base/error.h"

namespace outerloop::exec::oracle {
namespace {

int64_t checked(int32_t index, int64_t limit) {
  if (index < 0 || index >= limit) {
    throw BadInput(fmt::format("index {} is outside 0 … {}", index, limit - 1));
  }
  return index;
}

// A tensor seen as (outer, extent, inner) around one axis.
struct AxisView {
  int64_t outer = 1, extent = 1, inner = 1;
  AxisView(const Shape& shape, int64_t axis) {
    for (int i = 0; i < shape.rank(); ++i) {
      (i < axis ? outer : i == axis ? extent : inner) *= shape[i];
    }
  }
  size_t at(int64_t o, int64_t e, int64_t i) const {
    return static_cast<size_t>((o * extent + e) * inner + i);
  }
};

// visit(position in the tensor with `many` rows, position in the other), in rising order of the
// indices.
template <class Visit>
void along_axis(const Shape& indexed, const Shape& other, int64_t axis,
                std::span<const int32_t> indices, Visit&& visit) {
  const AxisView large(indexed, axis), small(other, axis);
  for (int64_t o = 0; o < large.outer; ++o) {
    for (size_t j = 0; j < indices.size(); ++j) {
      const int64_t row = checked(indices[j], large.extent);
      for (int64_t i = 0; i < large.inner; ++i) {
        visit(large.at(o, row, i), small.at(o, static_cast<int64_t>(j), i));
      }
    }
  }
}

}  // namespace

void gather(const Attributes& attributes, Tensors inputs, Tensor& output) {
  by_floating_type(output.dtype(), [&]<class T>(T) {
    const auto x = inputs[0].as<T>();
    const auto y = output.as<T>();
    along_axis(inputs[0].shape(), output.shape(), attributes.integer("axis"),
               inputs[1].as<int32_t>(), [&](size_t from, size_t to) { y[to] = x[from]; });
  });
}

void scatter_add(const Attributes& attributes, Tensors inputs, Tensor& output) {
  by_floating_type(output.dtype(), [&]<class T>(T) {
    const auto updates = inputs[0].as<T>();
    const auto y = output.as<T>();
    along_axis(output.shape(), inputs[0].shape(), attributes.integer("axis"),
               inputs[1].as<int32_t>(), [&](size_t to, size_t from) { y[to] += updates[from]; });
  });
}

void take_per_row(const Attributes&, Tensors inputs, Tensor& output) {
  by_floating_type(output.dtype(), [&]<class T>(T) {
    const int64_t columns = inputs[0].shape()[1];
    const auto indices = inputs[1].as<int32_t>();
    for (size_t i = 0; i < indices.size(); ++i) {
      const int64_t place = static_cast<int64_t>(i) * columns + checked(indices[i], columns);
      output.as<T>()[i] = inputs[0].as<T>()[static_cast<size_t>(place)];
    }
  });
}

void put_per_row(const Attributes& attributes, Tensors inputs, Tensor& output) {
  by_floating_type(output.dtype(), [&]<class T>(T) {
    const int64_t columns = attributes.integer("columns");
    const auto indices = inputs[1].as<int32_t>();
    for (size_t i = 0; i < indices.size(); ++i) {
      const int64_t place = static_cast<int64_t>(i) * columns + checked(indices[i], columns);
      output.as<T>()[static_cast<size_t>(place)] = inputs[0].as<T>()[i];
    }
  });
}

void take(const Attributes&, Tensors inputs, Tensor& output) {
  by_floating_type(output.dtype(), [&]<class T>(T) {
    const auto indices = inputs[1].as<int32_t>();
    for (size_t i = 0; i < indices.size(); ++i) {
      const int64_t place = checked(indices[i], inputs[0].elements());
      output.as<T>()[i] = inputs[0].as<T>()[static_cast<size_t>(place)];
    }
  });
}

void scatter(const Attributes&, Tensors inputs, Tensor& output) {
  by_floating_type(output.dtype(), [&]<class T>(T) {
    const auto indices = inputs[1].as<int32_t>();
    for (size_t i = 0; i < indices.size(); ++i) {
      const int64_t place = checked(indices[i], output.elements());
      output.as<T>()[static_cast<size_t>(place)] += inputs[0].as<T>()[i];
    }
  });
}

void max_pool_index(const Attributes& attributes, Tensors inputs, Tensor& output) {
  const int64_t window = attributes.integer("window"), stride = attributes.integer("stride");
  const Shape& x = inputs[0].shape();
  const Shape& y = output.shape();
  by_floating_type(inputs[0].dtype(), [&]<class T>(T) {
    const auto values = inputs[0].as<T>();
    const auto result = output.as<int32_t>();
    for (int64_t i = 0; i < output.elements(); ++i) {
      const int64_t c = i % y[3], column = i / y[3] % y[2], row = i / (y[3] * y[2]) % y[1],
                    image = i / (y[3] * y[2] * y[1]);
      const auto place = [&](int64_t p, int64_t q) {
        return ((image * x[1] + row * stride + p) * x[2] + column * stride + q) * x[3] + c;
      };
      int64_t best = place(0, 0);
      for (int64_t tap = 1; tap < window * window; ++tap) {
        const int64_t candidate = place(tap / window, tap % window);
        const bool greater =
            values[static_cast<size_t>(candidate)] > values[static_cast<size_t>(best)];
        if (greater) best = candidate;
      }
      result[static_cast<size_t>(i)] = static_cast<int32_t>(best);
    }
  });
}

void one_hot(const Attributes& attributes, Tensors inputs, Tensor& output) {
  const int64_t classes = attributes.integer("classes");
  const auto labels = inputs[0].as<int32_t>();
  by_floating_type(output.dtype(), [&]<class T>(T) {
    for (size_t i = 0; i < labels.size(); ++i) {
      const int64_t place = static_cast<int64_t>(i) * classes + checked(labels[i], classes);
      output.as<T>()[static_cast<size_t>(place)] = T{1};
    }
  });
}

}  // namespace outerloop::exec::oracle
