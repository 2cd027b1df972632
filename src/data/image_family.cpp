#include "outerloop/data/image_family.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "data/drawing/host_dealer.h"
#include "data/drawing/images.h"
#include "data/drawing/on_device.h"
#include "data/pixels.h"
#include "data/task_limits.h"
#include "data/task_stream.h"
#include "outerloop/base/error.h"

namespace outerloop::data {
namespace {

constexpr int kTurns = ImageDrawing::kTurns;

// What ImageDrawing::Pools refers to.
struct Pool {
  std::vector<int32_t> classes;
  std::vector<uint32_t> begin;
  std::vector<int32_t> group;  // of each pool
  size_t given = 0;            // classes in the split, with those of too few images
  size_t largest = 0;          // pool, counting pools that are too small for a task
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

const EpisodeShape& checked(const EpisodeShape& shape) {
  if (is_too_large(shape)) {
    throw BadInput(
        fmt::format("tasks of {} ways with {} + {} images each are too large (at most {} "
                    "ways and {} images of a class)",
                    shape.ways, shape.shots, shape.queries, kMostWays, kMostExamples));
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
      drawing_.pools[at] = {.classes = pools_[at].classes.data(),
                            .begin = pools_[at].begin.data(),
                            .count = static_cast<unsigned>(pools_[at].group.size()),
                            .turns_classes = options.rotation[at] == Rotation::per_class};
    }
    drawing_.class_begin = set_->class_begin.data();
    drawing_.ways = static_cast<unsigned>(shape.ways);
    drawing_.shots = static_cast<unsigned>(shape.shots);
    drawing_.queries = static_cast<unsigned>(shape.queries);
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
    const Pool& pool = pools_[static_cast<size_t>(key.split)];
    HostDealer dealer(task_stream(key));
    std::vector<int32_t> chosen(static_cast<size_t>(shape().ways));
    const int32_t group = pool.group[drawing_.choose_classes(
        dealer, static_cast<unsigned>(key.split), chosen.data())];
    TaskDescription result;
    for (const int32_t c : chosen) {
      result.class_names.push_back(set_->class_names[static_cast<size_t>(c / kTurns)]);
      const int turns = c % kTurns;
      if (turns != 0) result.class_names.back() += fmt::format(" turned {}", turns * 90);
    }
    if (options_.within_group) result.group = set_->group_names[static_cast<size_t>(group)];
    return result;
  }

  DeviceDrawing device_drawing(const SendUp& send_up) const override {
    ImageDrawing there = drawing_;
    for (size_t at = 0; at < pools_.size(); ++at) {
      ImageDrawing::Pools& pools = there.pools[at];
      pools.classes = sent(send_up, pools.classes, pools_[at].classes.size());
      pools.begin = sent(send_up, pools.begin, pools_[at].begin.size());
    }
    there.class_begin = sent(send_up, there.class_begin, set_->class_begin.size());
    return on_device("ImageDrawing", there, shape(), there.room());
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

  void draw_task(const TaskKey& key, const EpisodeBuffers& buffers) const override {
    if (pools_[static_cast<size_t>(key.split)].group.empty()) check(key.split);
    HostDealer dealer(task_stream(key));
    std::array<int32_t, kMostWays + kMostExamples> room;
    const auto shots = static_cast<size_t>(shape().shots);
    const auto queries = static_cast<size_t>(shape().queries);
    const auto write = [&](size_t label, int32_t turned_class, const int32_t* images) {
      write_images(turned_class, {images, shots}, buffers.support_x, label * shots);
      write_images(turned_class, {images + shots, queries}, buffers.query_x, label * queries);
    };
    drawing_.draw_classes(dealer, static_cast<unsigned>(key.split), room.data(), write);
    drawing_.draw_labels(dealer, places_of(buffers));
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
  ImageDrawing drawing_{};  // of these
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
