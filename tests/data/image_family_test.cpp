#include "outerloop/data/image_family.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "data/draws.h"
#include "data/image_sets.h"
#include "io/temporary_folder.h"
#include "outerloop/base/error.h"
#include "support/message_of.h"

namespace outerloop::data {
namespace {

// What an image of the small set says about itself, whichever way it is turned.
struct Seen {
  int image_class = -1;
  int image = -1;
  int quarter_turns = -1;
};

int pixel(const float* values, int i) {
  return static_cast<int>(std::lround(values[i] * 255));
}

Seen seen(const float* values) {
  // Corners clockwise from the first; turning counter-clockwise moves the first pixel backwards.
  constexpr std::array<int, 4> kCorner = {0, 12, 15, 3};
  constexpr std::array<int, 4> kNext = {1, 8, 14, 7};
  for (int turns = 0; turns < 4; ++turns) {
    const auto at = static_cast<size_t>(turns);
    if (pixel(values, kCorner.at(at)) < 200) {
      return {pixel(values, kCorner.at(at)), pixel(values, kNext.at(at)), turns};
    }
  }
  return {};
}

struct SeenTask {
  std::vector<Seen> support;
  std::vector<Seen> query;
  std::vector<int32_t> support_labels;
  std::vector<int32_t> query_labels;
};

SeenTask look_at(const TaskFamily& family, const TaskKey& key) {
  Episode episode = drawn(family, key);
  SeenTask task;
  const auto look = [](Tensor& images, std::vector<Seen>& result) {
    for (size_t at = 0; at < images.as<float>().size(); at += 16) {
      result.push_back(seen(images.as<float>().data() + at));
    }
  };
  look(episode.support_x, task.support);
  look(episode.query_x, task.query);
  const auto labels = episode.support_y.as<int32_t>();
  const auto query_labels = episode.query_y.as<int32_t>();
  task.support_labels.assign(labels.begin(), labels.end());
  task.query_labels.assign(query_labels.begin(), query_labels.end());
  return task;
}

std::shared_ptr<const ImageSet> small() {
  return std::make_shared<const ImageSet>(small_set());
}

constexpr EpisodeShape kShape{.ways = 3, .shots = 2, .queries = 3};

TEST(ImageFamily, HasImagesAndLabelsOfTheShape) {
  const auto family = make_image_family(small(), kShape);
  EXPECT_EQ(family->spec().support_x.shape, (Shape{6, 4, 4, 1}));
  EXPECT_EQ(family->spec().query_x.shape, (Shape{9, 4, 4, 1}));
  EXPECT_EQ(family->spec().query_y.shape, (Shape{9}));
  EXPECT_EQ(family->spec().query_y.dtype, DType::i32);
  EXPECT_TRUE(family->spec().classification);
}

TEST(ImageFamily, RowsAreClassMajorAndNoImageComesTwice) {
  const auto family = make_image_family(small(), kShape);
  for (uint32_t slot = 0; slot < 200; ++slot) {
    const SeenTask task = look_at(*family, {.seed = 1, .slot = slot});
    EXPECT_EQ(task.support_labels, (std::vector<int32_t>{0, 0, 1, 1, 2, 2}));
    EXPECT_EQ(task.query_labels, (std::vector<int32_t>{0, 0, 0, 1, 1, 1, 2, 2, 2}));
    std::map<int32_t, int> class_of_label;
    std::set<std::pair<int, int>> images;
    const auto check = [&](const std::vector<Seen>& rows, const std::vector<int32_t>& labels) {
      for (size_t i = 0; i < rows.size(); ++i) {
        const auto [place, added] = class_of_label.emplace(labels[i], rows[i].image_class);
        EXPECT_EQ(place->second, rows[i].image_class);
        EXPECT_TRUE(images.emplace(rows[i].image_class, rows[i].image).second);
        EXPECT_EQ(rows[i].quarter_turns, 0);
      }
    };
    check(task.support, task.support_labels);
    check(task.query, task.query_labels);
    EXPECT_EQ(std::set<int>({class_of_label[0], class_of_label[1], class_of_label[2]}).size(), 3U);
    EXPECT_EQ(images.size(), 15U);
  }
}

TEST(ImageFamily, SplitsUseTheirOwnClasses) {
  const auto family = make_image_family(small(), kShape);
  const std::array<std::pair<int, int>, 3> ranges = {{{0, 12}, {12, 18}, {18, 24}}};
  for (const Split split : kSplits) {
    std::set<int> classes;
    for (uint32_t slot = 0; slot < 300; ++slot) {
      for (const Seen& row : look_at(*family, {.seed = 2, .split = split, .slot = slot}).query) {
        classes.insert(row.image_class);
      }
    }
    const auto [first, last] = ranges.at(static_cast<size_t>(split));
    EXPECT_EQ(*classes.begin(), first);
    EXPECT_EQ(*classes.rbegin(), last - 1);
    EXPECT_EQ(classes.size(), static_cast<size_t>(last - first));
  }
}

TEST(ImageFamily, EveryClassGetsEveryLabelAndEveryImageEquallyOften) {
  const auto family = make_image_family(small(), {.ways = 3, .shots = 1, .queries = 1});
  constexpr uint32_t kTasks = 24'000;
  std::map<std::pair<int, size_t>, int> label_count;
  std::map<std::pair<int, int>, int> image_count;
  for (uint32_t slot = 0; slot < kTasks; ++slot) {
    const SeenTask task = look_at(*family, {.seed = 3, .slot = slot});
    for (size_t label = 0; label < 3; ++label) {
      ++label_count[{task.support[label].image_class, label}];
      ++image_count[{task.support[label].image_class, task.support[label].image}];
    }
  }
  EXPECT_EQ(label_count.size(), 36U);
  EXPECT_EQ(image_count.size(), 60U);
  for (const auto& [which, count] : label_count) {
    EXPECT_NEAR(count, kTasks / 12.0, 5 * std::sqrt(kTasks / 12.0));
  }
  for (const auto& [which, count] : image_count) {
    EXPECT_NEAR(count, 3.0 * kTasks / 60, 5 * std::sqrt(3.0 * kTasks / 60));
  }
}

TEST(ImageFamily, RotationPerClassTurnsAllImagesOfAClassAlike) {
  ImageFamilyOptions options;
  options.rotation = {Rotation::per_class, Rotation::none, Rotation::per_class};
  const auto family = make_image_family(small(), kShape, options);
  std::array<int, 4> count{};
  constexpr uint32_t kTasks = 4000;
  for (uint32_t slot = 0; slot < kTasks; ++slot) {
    const SeenTask task = look_at(*family, {.seed = 4, .slot = slot});
    for (size_t label = 0; label < 3; ++label) {
      const int turns = task.support[label * 2].quarter_turns;
      ++count.at(static_cast<size_t>(turns));
      EXPECT_EQ(task.support[label * 2 + 1].quarter_turns, turns);
      for (size_t i = 0; i < 3; ++i) EXPECT_EQ(task.query[label * 3 + i].quarter_turns, turns);
    }
  }
  for (const int times : count) EXPECT_NEAR(times, 3000, 5 * std::sqrt(3000.0));
  const TaskKey validation{.seed = 4, .split = Split::validation};
  for (const Seen& row : look_at(*family, validation).query) EXPECT_EQ(row.quarter_turns, 0);
}

TEST(ImageFamily, RotationsAsClassesMakeFourClassesOfEach) {
  ImageFamilyOptions options;
  options.rotation = {Rotation::as_classes, Rotation::none, Rotation::none};
  // 12 training classes give 48: the same class may come twice in a task, turned differently.
  const auto family = make_image_family(small(), {.ways = 40, .shots = 1, .queries = 1}, options);
  EXPECT_NO_THROW(family->check(Split::train));
  const SeenTask task = look_at(*family, {.seed = 5});
  std::set<std::pair<int, int>> classes;
  for (const Seen& row : task.support) classes.emplace(row.image_class, row.quarter_turns);
  EXPECT_EQ(classes.size(), 40U);
}

TEST(ImageFamily, TasksWithinAGroupKeepToIt) {
  ImageFamilyOptions options;
  options.within_group = true;
  const auto family = make_image_family(small(), kShape, options);
  std::map<int, int> groups;
  for (uint32_t slot = 0; slot < 1000; ++slot) {
    const TaskKey key{.seed = 6, .slot = slot};
    const SeenTask task = look_at(*family, key);
    const int group = task.query[0].image_class / 6;
    for (const Seen& row : task.query) EXPECT_EQ(row.image_class / 6, group);
    EXPECT_EQ(family->describe(key).group, "group" + std::to_string(group));
    ++groups[group];
  }
  EXPECT_EQ(groups.size(), 2U);
  EXPECT_NEAR(groups[0], 500, 80);
}

TEST(ImageFamily, DescribesTheClassesInLabelOrder) {
  ImageFamilyOptions options;
  options.rotation[0] = Rotation::per_class;
  const auto family = make_image_family(small(), kShape, options);
  for (uint32_t slot = 0; slot < 50; ++slot) {
    const TaskKey key{.seed = 7, .slot = slot};
    const SeenTask task = look_at(*family, key);
    const TaskDescription description = family->describe(key);
    ASSERT_EQ(description.class_names.size(), 3U);
    for (size_t label = 0; label < 3; ++label) {
      const Seen& row = task.support[label * 2];
      std::string expected = "class" + std::to_string(100 + row.image_class);
      if (row.quarter_turns > 0) expected += " turned " + std::to_string(row.quarter_turns * 90);
      EXPECT_EQ(description.class_names[label], expected);
    }
  }
}

TEST(ImageFamily, IsAPureFunctionOfTheKeyInAnyOrderAndThread) {
  ImageFamilyOptions options;
  options.rotation = {Rotation::per_class, Rotation::as_classes, Rotation::none};
  EpisodeShape shape = kShape;
  shape.minibatch_steps = 4;
  shape.minibatch_rows = 4;
  expect_pure(*make_image_family(small(), shape, options));
}

TEST(ImageFamily, SaysWhyThereAreTooFewClasses) {
  const auto wide = make_image_family(small(), {.ways = 7, .shots = 1, .queries = 1});
  EXPECT_NO_THROW(wide->check(Split::train));
  EXPECT_EQ(message_of<BadInput>([&] { wide->check(Split::test); }),
            "7 ways of 1 + 1 images are too many: the test split of 'small' has 6 classes, 6 of "
            "them with that many images; set test.ways, shots or queries lower");
  EXPECT_THROW(drawn(*wide, {.split = Split::test}), BadInput);
  EXPECT_THROW(wide->describe({.split = Split::test}), BadInput);

  const auto deep = make_image_family(small(), {.ways = 2, .shots = 3, .queries = 3});
  EXPECT_EQ(message_of<BadInput>([&] { deep->check(Split::train); }),
            "2 ways of 3 + 3 images are too many: the train split of 'small' has 12 classes, 0 of "
            "them with that many images; set tasks.ways, shots or queries lower");

  ImageFamilyOptions options;
  options.within_group = true;
  const auto within = make_image_family(small(), {.ways = 7, .shots = 1, .queries = 1}, options);
  EXPECT_EQ(message_of<BadInput>([&] { within->check(Split::train); }),
            "7 ways of 1 + 1 images need a group of that many classes: the largest group in the "
            "train split of 'small' has 6 (12 classes in all)");
}

TEST(ImageFamily, RefusesOptionsThatDoNotFitTheSet) {
  ImageFamilyOptions options;
  options.split_scheme = "nonsense";
  EXPECT_EQ(
      message_of<BadInput>([&] { make_image_family(small(), kShape, options); }),
      "data set 'small' has no split scheme 'nonsense'; it has all, half: name it in tasks.split, "
      "or leave that empty");

  ImageSet ungrouped = small_set();
  ungrouped.class_group.clear();
  ImageFamilyOptions within;
  within.within_group = true;
  EXPECT_THROW(make_image_family(std::make_shared<ImageSet>(ungrouped), kShape, within), BadInput);

  ImageSet oblong = small_set();
  oblong.preparation.height = 2;
  oblong.preparation.width = 8;
  const auto shared = std::make_shared<ImageSet>(oblong);
  EXPECT_NO_THROW(make_image_family(shared, kShape));
  ImageFamilyOptions turned;
  turned.rotation[2] = Rotation::per_class;
  EXPECT_THROW(make_image_family(shared, kShape, turned), BadInput);
  EXPECT_THROW(make_image_family(small(), {.ways = 0}), BadInput);
  EXPECT_THROW(make_image_family(small(), {.ways = 2, .shots = 1 << 30, .queries = 1 << 30}),
               BadInput);
}

TEST(ImageFamily, UsesTheNamedScheme) {
  ImageFamilyOptions options;
  options.split_scheme = "all";
  const auto family = make_image_family(small(), {.ways = 20, .shots = 1, .queries = 1}, options);
  EXPECT_NO_THROW(family->check(Split::train));
  EXPECT_THROW(family->check(Split::test), BadInput);
}

TEST(ImageFamily, ClassesWithTooFewImagesAreLeftOut) {
  ImageSet set = small_set(4, 5);
  // Class 0 keeps two images.
  set.pixels.erase(set.pixels.begin(), set.pixels.begin() + 3 * 16);
  set.image_maker.erase(set.image_maker.begin(), set.image_maker.begin() + 3);
  for (size_t c = 1; c < set.class_begin.size(); ++c) set.class_begin[c] -= 3;
  validate(set);
  ImageFamilyOptions options;
  options.split_scheme = "all";
  const auto family = make_image_family(std::make_shared<ImageSet>(set),
                                        {.ways = 3, .shots = 2, .queries = 2}, options);
  for (uint32_t slot = 0; slot < 100; ++slot) {
    for (const Seen& row : look_at(*family, {.slot = slot}).support) EXPECT_NE(row.image_class, 0);
  }
}

}  // namespace
}  // namespace outerloop::data
