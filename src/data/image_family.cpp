#include "outerloop/data/image_family.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "data/pixels.h"
#include "data/task_stream.h"
#include "outerloop/base/error.h"

namespace outerloop::data {
namespace {

constexpr int kTurns = 4;
constexpr int kMostShots = 4096;  // images of one class in a task; bounds the scratch on the stack
constexpr int kMostWays = 4096;

// The classes that one split offers, those of a group adjacent. Without groups, one pool.
struct Pool {
  std::vector<int32_t> classes;  // class * 4 + quarter turns
  std::vector<uint32_t> begin;   // pools + 1
  std::vector<int32_t> group;    // of each pool
  size_t given = 0;              // classes in the split, with those of too few images
  size_t largest = 0;            // pool, counting pools that are too small for a task
};

EpisodeSpec image_spec(const ImageSet& set, const EpisodeShape& shape) {
  const ImagePreparation& p = set.preparation;
  const auto images = [&](int rows) {
    return TensorSpec{DType::f32, {std::max(rows, 0), p.height, p.width, p.channels}};
  };
  const auto labels = [](int rows) { return TensorSpec{DType::i32, {std::max(rows, 0)}}; };
  return {.support_x = images(shape.support_rows()),
          .support_y = labels(shape.support_rows()),
          .query_x = images(shape.query_rows()),
          .query_y = labels(shape.query_rows()),
          .classification = true};
}

// Refused before rows are multiplied out.
const EpisodeShape& checked(const EpisodeShape& shape) {
  if (shape.ways > kMostWays || shape.shots > kMostShots || shape.queries > kMostShots ||
      shape.shots + shape.queries > kMostShots) {
    throw BadInput(
        fmt::format("tasks of {} ways with {} + {} images each are too large (at most {} "
                    "ways and {} images of a class)",
                    shape.ways, shape.shots, shape.queries, kMostWays, kMostShots));
  }
  return shape;
}

const SplitScheme& scheme_of(const ImageSet& set, const std::string& wanted) {
  const std::string& name = wanted.empty() ? set.default_split : wanted;
  const auto found = set.splits.find(name);
  if (found != set.splits.end()) return found->second;
  std::vector<std::string> known;
  for (const auto& [known_name, scheme] : set.splits) known.push_back(known_name);
  throw BadInput(
      fmt::format("data set '{}' has no split scheme '{}'; it has {}: name it in tasks.split, or "
                  "leave that empty",
                  set.name, name, fmt::join(known, ", ")));
}

class ImageFamily final : public TaskFamily {
 public:
  ImageFamily(std::shared_ptr<const ImageSet> set, const EpisodeShape& shape,
              const ImageFamilyOptions& options)
      : TaskFamily(shape, image_spec(*set, checked(shape))),
        set_(std::move(set)),
        options_(options) {
    const SplitScheme& scheme = scheme_of(*set_, options.split_scheme);
    for (const Split split : kSplits) {
      const auto at = static_cast<size_t>(split);
      pools_[at] = make_pool(scheme.classes[at], options.rotation[at] == Rotation::as_classes);
    }
  }

  void check(Split split) const override {
    const Pool& pool = pools_[static_cast<size_t>(split)];
    if (!pool.group.empty()) return;
    const std::string wanted =
        fmt::format("{} ways of {} + {} images", shape().ways, shape().shots, shape().queries);
    const std::string where = fmt::format("the {} split of '{}'", name_of(split), set_->name);
    if (options_.within_group) {
      throw BadInput(
          fmt::format("{} need a group of that many classes: the largest group in {} has "
                      "{} ({} classes in all)",
                      wanted, where, pool.largest, pool.given));
    }
    throw BadInput(fmt::format(
        "{} are too many: {} has {} classes, {} of them with that many images; set "
        "{}.ways, shots or queries lower",
        wanted, where, pool.given, pool.largest, split == Split::train ? "tasks" : "test"));
  }

  ImageTable images() const override {
    const ImagePreparation& p = set_->preparation;
    return {set_->pixels, p.height, p.width, p.channels};
  }

  TaskDescription describe(const TaskKey& key) const override {
    check(key.split);
    Philox random = task_stream(key);
    std::vector<int32_t> chosen(static_cast<size_t>(shape().ways));
    const int32_t group = choose_classes(random, key.split, chosen);
    TaskDescription result;
    for (const int32_t c : chosen) {
      result.class_names.push_back(set_->class_names[static_cast<size_t>(c / kTurns)]);
      const int turns = c % kTurns;
      if (turns != 0) result.class_names.back() += fmt::format(" turned {}", turns * 90);
    }
    if (options_.within_group) result.group = set_->group_names[static_cast<size_t>(group)];
    return result;
  }

 private:
  Pool make_pool(const std::vector<int32_t>& split, bool rotations_as_classes) const {
    const int turns = rotations_as_classes ? kTurns : 1;
    std::vector<std::vector<int32_t>> by_group(options_.within_group ? set_->group_names.size()
                                                                     : 1);
    Pool pool;
    pool.given = split.size() * static_cast<size_t>(turns);
    for (const int32_t c : split) {
      if (set_->images_of(c) < shape().shots + shape().queries) continue;
      const size_t group = options_.within_group
                               ? static_cast<size_t>(set_->class_group[static_cast<size_t>(c)])
                               : 0;
      for (int turn = 0; turn < turns; ++turn) by_group[group].push_back(c * kTurns + turn);
    }
    pool.begin.push_back(0);
    for (size_t group = 0; group < by_group.size(); ++group) {
      pool.largest = std::max(pool.largest, by_group[group].size());
      if (by_group[group].size() < static_cast<size_t>(shape().ways)) continue;
      pool.classes.insert(pool.classes.end(), by_group[group].begin(), by_group[group].end());
      pool.begin.push_back(static_cast<uint32_t>(pool.classes.size()));
      pool.group.push_back(static_cast<int32_t>(group));
    }
    return pool;
  }

  // Fills chosen with class * 4 + quarter turns, in label order; returns the group.
  int32_t choose_classes(Philox& random, Split split, std::span<int32_t> chosen) const {
    const Pool& pool = pools_[static_cast<size_t>(split)];
    size_t which = 0;
    if (pool.group.size() > 1) which = random.below(static_cast<uint32_t>(pool.group.size()));
    const uint32_t first = pool.begin[which];
    random.choose(pool.begin[which + 1] - first, chosen);
    for (int32_t& c : chosen) c = pool.classes[first + static_cast<uint32_t>(c)];
    if (options_.rotation[static_cast<size_t>(split)] == Rotation::per_class) {
      for (int32_t& c : chosen) c += static_cast<int32_t>(random.below(kTurns));
    }
    return pool.group[which];
  }

  void draw_task(const TaskKey& key, const EpisodeBuffers& buffers) const override {
    const auto write = [&](int32_t turned_class, std::span<const int32_t> images, bool of_support,
                           size_t first_row) {
      write_images(turned_class, images, of_support ? buffers.support_x : buffers.query_x,
                   first_row);
    };
    draw_rows(key, buffers, write);
  }

  void draw_task_named(const TaskKey& key, const EpisodeBuffers& buffers,
                       std::span<int32_t> support, std::span<int32_t> query) const override {
    const auto write = [&](int32_t turned_class, std::span<const int32_t> images, bool of_support,
                           size_t first_row) {
      const int64_t begin = set_->class_begin[static_cast<size_t>(turned_class / kTurns)];
      std::ranges::transform(
          images, (of_support ? support : query).begin() + first_row, [&](int32_t image) {
            return static_cast<int32_t>((begin + image) * kTurns) + turned_class % kTurns;
          });
    };
    draw_rows(key, buffers, write);
  }

  // Calls write(turned class, images of it, whether they are support, first row) for each class,
  // and writes the labels.
  template <class Write>
  void draw_rows(const TaskKey& key, const EpisodeBuffers& buffers, Write write) const {
    if (pools_[static_cast<size_t>(key.split)].group.empty()) check(key.split);
    Philox random = task_stream(key);
    std::array<int32_t, kMostWays> classes;
    const auto chosen = std::span(classes).first(static_cast<size_t>(shape().ways));
    choose_classes(random, key.split, chosen);

    std::array<int32_t, kMostShots> rows;
    const auto shots = static_cast<size_t>(shape().shots);
    const auto queries = static_cast<size_t>(shape().queries);
    const auto images = std::span(rows).first(shots + queries);
    for (size_t label = 0; label < chosen.size(); ++label) {
      const int32_t c = chosen[label] / kTurns;
      random.choose(static_cast<uint32_t>(set_->images_of(c)), images);
      write(chosen[label], images.first(shots), true, label * shots);
      write(chosen[label], images.last(queries), false, label * queries);
      const auto value = static_cast<int32_t>(label);
      std::ranges::fill(buffers.support_labels.subspan(label * shots, shots), value);
      std::ranges::fill(buffers.query_labels.subspan(label * queries, queries), value);
    }
  }

  void write_images(int32_t turned_class, std::span<const int32_t> images, std::span<float> target,
                    size_t first_row) const {
    const size_t size = set_->image_bytes();
    const int64_t begin = set_->class_begin[static_cast<size_t>(turned_class / kTurns)];
    for (size_t i = 0; i < images.size(); ++i) {
      scale_turned(set_->image(begin + images[i]), set_->preparation.height,
                   set_->preparation.channels, turned_class % kTurns,
                   target.subspan((first_row + i) * size, size));
    }
  }

  std::shared_ptr<const ImageSet> set_;
  ImageFamilyOptions options_;
  std::array<Pool, 3> pools_;
};

}  // namespace

std::unique_ptr<TaskFamily> make_image_family(std::shared_ptr<const ImageSet> set,
                                              const EpisodeShape& shape,
                                              const ImageFamilyOptions& options) {
  const ImagePreparation& p = set->preparation;
  const bool turns =
      std::ranges::any_of(options.rotation, [](Rotation r) { return r != Rotation::none; });
  if (turns && p.height != p.width) {
    throw BadInput(fmt::format("rotation needs square images; those of '{}' are {} x {}", set->name,
                               p.height, p.width));
  }
  if (options.within_group && set->class_group.empty()) {
    throw BadInput(fmt::format("tasks within a group: data set '{}' has no groups", set->name));
  }
  return std::make_unique<ImageFamily>(std::move(set), shape, options);
}

}  // namespace outerloop::data
