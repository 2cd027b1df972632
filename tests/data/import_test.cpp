#include "outerloop/data/import.h"

#include <gtest/gtest.h>
#include <zip.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <set>

#include "data/omniglot.h"
#include "data/splits.h"
#include "data/test_files.h"
#include "io/temporary_folder.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"
#include "outerloop/data/image_file.h"
#include "support/message_of.h"

namespace outerloop::data {
namespace {

namespace fs = std::filesystem;

// Writes a zip that holds the image file under each of the names.
void write_zip(const fs::path& path, const std::vector<std::string>& names, const char* image) {
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
  ASSERT_NE(archive, nullptr);
  const std::string file = test_file(image).string();
  for (const std::string& name : names) {
    zip_source_t* source = zip_source_file(archive, file.c_str(), 0, -1);
    ASSERT_GE(zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8), 0);
  }
  ASSERT_EQ(zip_close(archive), 0);
}

void copy_images(const TemporaryFolder& folder, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    fs::create_directories((folder / name).parent_path());
    fs::copy_file(test_file("grey.png"), folder / name);
  }
}

// 3 + 2 characters of 2 + 1 alphabets by 2 drawers, under the official names.
struct SmallOmniglot {
  TemporaryFolder folder;
  OmniglotSizes sizes{.background_classes = 3,
                      .evaluation_classes = 2,
                      .fixed = {2, 1, 2},
                      .held_out_alphabets = 1,
                      .drawers = 2};
  std::vector<std::string> background = {
      "images_background/A/character01/0001_01.png", "images_background/A/character01/0001_02.png",
      "images_background/A/character02/0002_01.png", "images_background/A/character02/0002_02.png",
      "images_background/B/character01/0003_01.png", "images_background/B/character01/0003_02.png"};
  std::vector<std::string> evaluation = {
      "images_evaluation/C/character01/0004_01.png", "images_evaluation/C/character01/0004_02.png",
      "images_evaluation/C/character02/0005_01.png", "images_evaluation/C/character02/0005_02.png"};

  ImageSet import() const {
    write_zip(folder / "background.zip", background, "glyph0.png");
    write_zip(folder / "evaluation.zip", evaluation, "glyph1.png");
    return import_omniglot(folder / "background.zip", folder / "evaluation.zip", 28, sizes);
  }
};

TEST(ImportOmniglot, KeepsClassesAlphabetsDrawersAndSplits) {
  const ImageSet set = SmallOmniglot().import();
  validate(set);
  EXPECT_EQ(set.class_names,
            (std::vector<std::string>{"A/character01", "A/character02", "B/character01",
                                      "C/character01", "C/character02"}));
  EXPECT_EQ(set.group_names, (std::vector<std::string>{"A", "B", "C"}));
  EXPECT_EQ(set.class_group, (std::vector<int32_t>{0, 0, 1, 2, 2}));
  EXPECT_EQ(set.image_maker, (std::vector<int32_t>{0, 1, 0, 1, 0, 1, 0, 1, 0, 1}));
  EXPECT_EQ(set.splits.at("official").classes[0], (std::vector<int32_t>{0, 1, 2}));
  EXPECT_EQ(set.splits.at("official").classes[2], (std::vector<int32_t>{3, 4}));
  EXPECT_EQ(set.splits.at("holdout").classes[2], (std::vector<int32_t>{3, 4}));
  const size_t held_out = set.splits.at("holdout").classes[1].size();
  EXPECT_TRUE(held_out == 1 || held_out == 2);
  EXPECT_EQ(set.splits.at("fixed").classes[0].size(), 2U);
}

TEST(ImportOmniglot, ImagesAreResizedAndInkIsHigh) {
  const ImageSet set = SmallOmniglot().import();
  const auto expect_glyph = [&](int64_t index, const char* name) {
    const Image expected = decode_image(file_bytes(name), name);
    const auto image = set.image(index);
    ASSERT_EQ(image.size(), expected.pixels.size());
    for (size_t i = 0; i < image.size(); ++i) ASSERT_EQ(image[i], 255 - expected.pixels[i]);
  };
  expect_glyph(0, "glyph0_28x28.png");
  expect_glyph(9, "glyph1_28x28.png");
}

TEST(ImportOmniglot, RefusesOtherArchives) {
  SmallOmniglot missing_drawer;
  missing_drawer.background.erase(missing_drawer.background.begin() + 1);
  EXPECT_CONTAINS(message_of<BadInput>([&] { missing_drawer.import(); }),
                  "A/character01 has 1 images, expected 2");
  SmallOmniglot missing_class;
  missing_class.evaluation.resize(2);
  EXPECT_CONTAINS(message_of<BadInput>([&] { missing_class.import(); }),
                  "1 classes, expected 2: is it the official archive?");
  SmallOmniglot other_names;
  other_names.evaluation[0] = "images_evaluation/C/character01/first.png";
  EXPECT_CONTAINS(message_of<BadInput>([&] { other_names.import(); }), "expected …/Alphabet");
  SmallOmniglot shared_class;
  shared_class.evaluation[0] = "images_evaluation/A/character01/0004_01.png";
  shared_class.evaluation[1] = "images_evaluation/A/character01/0004_02.png";
  EXPECT_CONTAINS(message_of<BadInput>([&] { shared_class.import(); }), "share classes");
  EXPECT_THROW(import_omniglot("/nowhere.zip", "/nowhere.zip"), BadInput);
}

TEST(ImportImages, TakesFoldersAsClasses) {
  const TemporaryFolder folder;
  copy_images(folder, {"cat/1.png", "cat/2.png", "dog/1.png", "bird/x.png", "bird/y.png"});
  ImageImportOptions options;
  options.preparation = {.height = 6, .width = 5, .channels = 3};
  options.name = "pets";
  options.fractions = std::array{0.34, 0.33, 0.33};
  const ImageSet set = import_images(folder.path(), options);
  validate(set);
  EXPECT_EQ(set.name, "pets");
  EXPECT_EQ(set.class_names, (std::vector<std::string>{"bird", "cat", "dog"}));
  EXPECT_EQ(set.class_begin, (std::vector<int64_t>{0, 2, 4, 5}));
  EXPECT_TRUE(set.group_names.empty());
  EXPECT_EQ(set.image_bytes(), 6U * 5 * 3);
  EXPECT_EQ(set.default_split, "fractions");
  for (const Split split : kSplits) {
    EXPECT_EQ(set.splits.at("fractions").classes[static_cast<size_t>(split)].size(), 1U);
  }
}

TEST(ImportImages, NestedFoldersMakeGroups) {
  const TemporaryFolder folder;
  copy_images(folder, {"a/x/1.png", "a/y/1.png", "b/x/1.png"});
  const ImageSet set = import_images(folder.path(), {});
  EXPECT_EQ(set.class_names, (std::vector<std::string>{"a/x", "a/y", "b/x"}));
  EXPECT_EQ(set.group_names, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(set.class_group, (std::vector<int32_t>{0, 0, 1}));
}

TEST(ImportImages, FoldersNamedAfterSplitsAreTheSplits) {
  const TemporaryFolder folder;
  copy_images(folder, {"train/x/1.png", "train/y/1.png", "val/z/1.png", "test/w/1.png"});
  const ImageSet set = import_images(folder.path(), {});
  EXPECT_EQ(set.class_names, (std::vector<std::string>{"w", "x", "y", "z"}));
  EXPECT_EQ(set.default_split, "folders");
  const SplitScheme& scheme = set.splits.at("folders");
  EXPECT_EQ(scheme.classes[0], (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(scheme.classes[1], (std::vector<int32_t>{3}));
  EXPECT_EQ(scheme.classes[2], (std::vector<int32_t>{0}));

  copy_images(folder, {"test/x/1.png"});
  EXPECT_CONTAINS(message_of<BadInput>([&] { import_images(folder.path(), {}); }),
                  "class 'x' is in test and in train");
}

TEST(ImportImages, AFolderMayHoldOneFolderAroundItsSplits) {
  const TemporaryFolder folder;
  copy_images(folder, {"mini/train/x/1.png", "mini/train/y/1.png", "mini/test/w/1.png"});
  const ImageSet set = import_images(folder.path(), {});
  EXPECT_EQ(set.class_names, (std::vector<std::string>{"w", "x", "y"}));
  EXPECT_EQ(set.default_split, "folders");
  copy_images(folder, {"mini/extra/v/1.png"});
  EXPECT_CONTAINS(message_of<BadInput>([&] { import_images(folder.path(), {}); }),
                  "beside them: extra; ");

  // Without splits in it, it is a group of classes.
  const TemporaryFolder groups;
  copy_images(groups, {"pets/cat/1.png", "pets/dog/1.png"});
  EXPECT_EQ(import_images(groups.path(), {}).class_names,
            (std::vector<std::string>{"pets/cat", "pets/dog"}));
}

// They would be dealt out with all others, in silence.
TEST(ImportImages, RefusesWhatLiesBesideSplits) {
  const std::vector<std::string> splits = {"train/x/1.png", "val/z/1.png", "test/w/1.png"};
  for (const auto& [stray, named] :
       std::map<std::string, std::string>{{"extra/v/1.png", "beside them: extra; "},
                                          {"unlabelled/1.png", "beside them: unlabelled; "},
                                          {"train/1.png", "beside them: train/1.png; "},
                                          {"1.png", "beside them: 1.png; "}}) {
    const TemporaryFolder folder;
    copy_images(folder, splits);
    copy_images(folder, {stray});
    EXPECT_CONTAINS(message_of<BadInput>([&] { import_images(folder.path(), {}); }), named);
  }
  // Without a test there are no splits, but a group of classes with a common name.
  const TemporaryFolder folder;
  copy_images(folder, {"train/x/1.png", "plane/y/1.png"});
  EXPECT_EQ(import_images(folder.path(), {}).default_split, "fractions");
}

std::vector<ImageImportOptions> options_that_deal() {
  ImageImportOptions fractions;
  fractions.fractions = std::array{0.6, 0.2, 0.2};
  ImageImportOptions seed;
  seed.split_seed = 0;
  return {fractions, seed};
}

TEST(ImportImages, RefusesToDealOutWhatHasSplits) {
  const TemporaryFolder folder;
  copy_images(folder, {"train/x/1.png", "val/z/1.png", "test/w/1.png"});
  for (const ImageImportOptions& options : options_that_deal()) {
    EXPECT_CONTAINS(message_of<BadInput>([&] { import_images(folder.path(), options); }),
                    "--fractions and --split-seed have no effect here: " + folder.path().string());
  }
}

TEST(ImportImages, AZipMayHoldOneFolderAroundAll) {
  const TemporaryFolder folder;
  write_zip(folder / "pets.zip", {"pets/cat/1.png", "pets/dog/1.png", "__MACOSX/pets/._1.png"},
            "grey.png");
  const ImageSet set = import_images(folder / "pets.zip", {});
  EXPECT_EQ(set.name, "pets");
  EXPECT_EQ(set.class_names, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_TRUE(set.group_names.empty());
  // As some programs name what lies in the folder that they pack.
  write_zip(folder / "dotted.zip", {"./cat/1.png", "./dog/1.png", "./.hidden/1.png"}, "grey.png");
  EXPECT_EQ(import_images(folder / "dotted.zip", {}).class_names, set.class_names);
}

TEST(ImportImages, RefusesAZipWithAClassWithoutImages) {
  const TemporaryFolder folder;
  write_zip(folder / "pets.zip", {"pets/cat/1.png", "pets/circle/1.svg", "pets/dog/1.png"},
            "grey.png");
  EXPECT_CONTAINS(message_of<BadInput>([&] { import_images(folder / "pets.zip", {}); }),
                  "pets.zip/pets/circle: no image in it that is read");
}

TEST(ImportImages, SameInputGivesTheSameSet) {
  const TemporaryFolder folder;
  copy_images(folder, {"cat/1.png", "dog/1.png", "bird/x.png"});
  EXPECT_EQ(fingerprint(import_images(folder.path(), {})),
            fingerprint(import_images(fs::path(folder.path().string() + "/"), {})));
}

TEST(ImportImages, RefusesWhatHasNoClasses) {
  const TemporaryFolder folder;
  EXPECT_CONTAINS(message_of<BadInput>([&] { import_images(folder.path(), {}); }), "no images");
  copy_images(folder, {"cat/1.png", "2.png"});
  EXPECT_CONTAINS(message_of<BadInput>([&] { import_images(folder.path(), {}); }),
                  "image 2.png lies in no class folder");
  ImageImportOptions options;
  options.fractions = std::array{0.5, 0.1, 0.1};
  fs::remove(folder / "2.png");
  EXPECT_CONTAINS(message_of<BadInput>([&] { import_images(folder.path(), options); }),
                  "shares that add up to 1");
}

std::string idx(int type, const std::vector<uint8_t>& extents, const std::string& elements) {
  std::string file = {0, 0, static_cast<char>(type), static_cast<char>(extents.size())};
  for (const uint8_t extent : extents) file += std::string{0, 0, 0, static_cast<char>(extent)};
  return file + elements;
}

// Four images of 1 x 2 pixels of classes 7, 300, 7, 8.
struct SmallIdx {
  TemporaryFolder folder;
  std::string images = idx(0x08, {4, 1, 2}, "abcdefgh");
  std::string labels = idx(0x0B, {4}, std::string("\0\7\1\x2c\0\7\0\10", 8));
  std::string table;

  ImageSet import(ImageImportOptions options = {}) const {
    write_file_atomically(folder / "images", std::string_view(images));
    write_file_atomically(folder / "labels", std::string_view(labels));
    write_file_atomically(folder / "table", std::string_view(table));
    options.preparation = {.height = 1, .width = 2};
    return import_idx(folder / "images", folder / "labels",
                      table.empty() ? fs::path() : folder / "table", options);
  }
};

TEST(ImportIdx, SortsImagesByLabel) {
  const ImageSet set = SmallIdx().import();
  validate(set);
  EXPECT_EQ(set.class_names, (std::vector<std::string>{"00007", "00008", "00300"}));
  EXPECT_EQ(set.class_begin, (std::vector<int64_t>{0, 2, 3, 4}));
  EXPECT_EQ(std::string(set.pixels.begin(), set.pixels.end()), "abefghcd");
}

TEST(ImportIdx, TakesNamesGroupsAndSplitsFromATable) {
  SmallIdx files;
  files.table =
      "class,script,split,name\n8,Greek,val,beta\n7,Greek,train,\"a, or \"\"A\"\"\"\n"
      "300,Thai,test,ko kai\n9,Thai,test,unused\n";
  const ImageSet set = files.import();
  EXPECT_EQ(set.class_names,
            (std::vector<std::string>{"00007 a, or \"A\"", "00008 beta", "00300 ko kai"}));
  EXPECT_EQ(set.group_names, (std::vector<std::string>{"Greek", "Thai"}));
  EXPECT_EQ(set.default_split, "table");
  EXPECT_EQ(set.splits.at("table").classes[0], std::vector<int32_t>{0});
  EXPECT_EQ(set.splits.at("table").classes[1], std::vector<int32_t>{1});
  EXPECT_EQ(set.splits.at("table").classes[2], std::vector<int32_t>{2});
}

TEST(ImportIdx, RefusesToDealOutWhatHasSplits) {
  SmallIdx files;
  files.table = "class,split\n7,train\n8,val\n300,test\n";
  for (const ImageImportOptions& options : options_that_deal()) {
    EXPECT_CONTAINS(message_of<BadInput>([&] { files.import(options); }),
                    "have no effect here: the column split of ");
  }
}

TEST(ImportIdx, RefusesDamagedFiles) {
  const auto message = [](const std::function<void(SmallIdx&)>& spoil) {
    SmallIdx files;
    spoil(files);
    return message_of<BadInput>([&] { files.import(); });
  };
  EXPECT_CONTAINS(message([](SmallIdx& f) { f.images.pop_back(); }), "holds 7 bytes");
  EXPECT_CONTAINS(message([](SmallIdx& f) { f.images = "nonsense"; }), "magic");
  EXPECT_CONTAINS(message([](SmallIdx& f) { f.images = ""; }), "magic");
  EXPECT_CONTAINS(message([](SmallIdx& f) { f.images.resize(6); }), "cut short");
  EXPECT_CONTAINS(message([](SmallIdx& f) { f.images[4] = 127; }), "extents");
  EXPECT_CONTAINS(message([](SmallIdx& f) { f.labels = idx(0x08, {3}, "abc"); }),
                  "/labels: expected 4 labels, one for each image of ");
  EXPECT_CONTAINS(message([](SmallIdx& f) { f.labels = idx(0x08, {3}, "abc"); }), "images, got 3");
  EXPECT_CONTAINS(message([](SmallIdx& f) {
                    f.images = idx(0x08, {4, 1, 2, 1}, "abcdefgh");
                  }),
                  "it has 4 dimensions, expected 3 (images, height, width)");
  EXPECT_CONTAINS(message([](SmallIdx& f) { f.labels = f.images; }),
                  "it has 3 dimensions, expected 1 (labels)");
  EXPECT_CONTAINS(message([](SmallIdx& f) {
                    f.images = idx(0x0B, {1, 1, 2}, "abcd");
                  }),
                  "expected a byte for each pixel, its elements have 2");
  EXPECT_CONTAINS(message([](SmallIdx& f) { f.table = "class\n7\n8\n"; }), "label 300");
  EXPECT_CONTAINS(message([](SmallIdx& f) { f.table = "name\nx\n"; }), "column 'class'");
  EXPECT_CONTAINS(message([](SmallIdx& f) { f.table = "class,split\n7,x\n8,x\n300,x\n"; }),
                  "split 'x'");
  EXPECT_CONTAINS(message([](SmallIdx& f) { f.table = "class,split\n7\n"; }), "row 2 has 1");
  EXPECT_CONTAINS(message([](SmallIdx& f) { f.table = "class\n\"7\n"; }), "not closed");
  for (const std::string bytes : {"\xFF\xFE"
                                  "c",
                                  "\xFE\xFF"
                                  "c"}) {
    EXPECT_CONTAINS(message([&](SmallIdx& f) { f.table = bytes; }),
                    "/table: is UTF-16, expected UTF-8: save the file as UTF-8");
  }
}

TEST(Splits, SizesAddUpAndNoShareIsLost) {
  for (const size_t classes : {3, 4, 10, 17, 1000}) {
    const auto sizes = split_sizes(classes, {0.7, 0.1, 0.2});
    EXPECT_EQ(sizes[0] + sizes[1] + sizes[2], classes);
    for (const size_t size : sizes) EXPECT_GE(size, 1U);
  }
  EXPECT_EQ(split_sizes(1000, {0.7, 0.1, 0.2}), (std::array<size_t, 3>{700, 100, 200}));
  EXPECT_EQ(split_sizes(10, {1, 0, 0}), (std::array<size_t, 3>{10, 0, 0}));
  EXPECT_EQ(split_sizes(9, {0, 0.5, 0.5}), (std::array<size_t, 3>{0, 4, 5}));
  EXPECT_EQ(split_sizes(2, {0.7, 0.1, 0.2}), (std::array<size_t, 3>{1, 0, 1}));
  EXPECT_EQ(split_sizes(1, {0.7, 0.1, 0.2}), (std::array<size_t, 3>{1, 0, 0}));
  EXPECT_THROW(split_sizes(10, {-0.5, 1, 0.5}), BadInput);
}

TEST(Splits, AreAPermutationByTheSeed) {
  const SplitScheme a = shuffled_split({70, 10, 20}, 1);
  EXPECT_EQ(a.classes, shuffled_split({70, 10, 20}, 1).classes);
  EXPECT_NE(a.classes, shuffled_split({70, 10, 20}, 2).classes);
  std::set<int32_t> all;
  for (const auto& classes : a.classes) {
    EXPECT_TRUE(std::ranges::is_sorted(classes));
    all.insert(classes.begin(), classes.end());
  }
  EXPECT_EQ(all.size(), 100U);
}

}  // namespace
}  // namespace outerloop::data
