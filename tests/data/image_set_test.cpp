#include "outerloop/data/image_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <set>

#include "data/image_sets.h"
#include "io/temporary_folder.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"
#include "outerloop/base/philox.h"
#include "outerloop/io/hdf5.h"
#include "outerloop/io/seal.h"
#include "support/message_of.h"

namespace outerloop::data {
namespace {

void expect_equal(const ImageSet& a, const ImageSet& b) {
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.licence, b.licence);
  EXPECT_EQ(a.source, b.source);
  EXPECT_EQ(a.preparation, b.preparation);
  EXPECT_EQ(a.pixels, b.pixels);
  EXPECT_EQ(a.class_begin, b.class_begin);
  EXPECT_EQ(a.class_names, b.class_names);
  EXPECT_EQ(a.group_names, b.group_names);
  EXPECT_EQ(a.class_group, b.class_group);
  EXPECT_EQ(a.image_maker, b.image_maker);
  EXPECT_EQ(a.default_split, b.default_split);
  ASSERT_EQ(a.splits.size(), b.splits.size());
  for (const auto& [name, scheme] : a.splits) {
    EXPECT_EQ(scheme.classes, b.splits.at(name).classes);
  }
}

void write(const std::filesystem::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

TEST(ImageSetFile, ComesBackAsItWas) {
  const TemporaryFolder folder;
  const ImageSet set = small_set();
  save_image_set(set, folder / "set.h5");
  expect_equal(load_image_set(folder / "set.h5"), set);
}

TEST(ImageSetFile, KeepsSetsWithoutGroupsMakersAndLicence) {
  const TemporaryFolder folder;
  ImageSet set = small_set();
  set.group_names.clear();
  set.class_group.clear();
  set.image_maker.clear();
  set.licence.clear();
  set.preparation.invert = true;
  save_image_set(set, folder / "set.h5");
  expect_equal(load_image_set(folder / "set.h5"), set);
}

TEST(ImageSetFile, EqualSetsGiveEqualBytes) {
  const TemporaryFolder folder;
  save_image_set(small_set(), folder / "a.h5");
  save_image_set(small_set(), folder / "b.h5");
  EXPECT_EQ(read_file(folder / "a.h5"), read_file(folder / "b.h5"));
}

TEST(ImageSetFile, MissingAndForeignFilesAreNamed) {
  const TemporaryFolder folder;
  EXPECT_CONTAINS(message_of<BadInput>([&] { load_image_set(folder / "none.h5"); }),
                  "none.h5: no such data set");
  write(folder / "text.h5", "hello");
  EXPECT_CONTAINS(message_of<BadInput>([&] { load_image_set(folder / "text.h5"); }),
                  "text.h5: not a data set of outerloop");
  write(folder / "empty.h5", "");
  EXPECT_THROW(load_image_set(folder / "empty.h5"), BadInput);
  EXPECT_THROW(load_image_set(folder.path()), Error);
}

// A sealed HDF5 file with any content.
std::filesystem::path sealed(const TemporaryFolder& folder,
                             const std::function<void(io::Hdf5File&)>& fill) {
  const std::filesystem::path path = folder / "made.h5";
  std::filesystem::remove(path);
  io::Hdf5File file = io::Hdf5File::create(path, {.room_for_seal = true});
  fill(file);
  file.close();
  io::seal_file(path);
  return path;
}

TEST(ImageSetFile, OtherFormatsAndNewerVersionsAreRefused) {
  const TemporaryFolder folder;
  const auto checkpoint = sealed(folder, [](io::Hdf5File& file) {
    file.set_attribute_text("/", "format", "outerloop-checkpoint");
  });
  EXPECT_CONTAINS(message_of<BadInput>([&] { load_image_set(checkpoint); }), "not a data set");
  const auto newer = sealed(folder, [](io::Hdf5File& file) {
    file.set_attribute_text("/", "format", "outerloop-dataset");
    file.set_attribute_int("/", "format_version", 2);
  });
  EXPECT_CONTAINS(message_of<BadInput>([&] { load_image_set(newer); }),
                  "data-set format 2, this program reads up to 1");
}

TEST(ImageSetFile, NoSingleBitFlipIsAccepted) {
  const TemporaryFolder folder;
  save_image_set(small_set(), folder / "set.h5");
  const std::string original = read_file(folder / "set.h5");
  Philox random({.seed = 1});
  for (int round = 0; round < 1000; ++round) {
    std::string damaged = original;
    const uint32_t bit = random.below(static_cast<uint32_t>(original.size() * 8));
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    write(folder / "damaged.h5", damaged);
    EXPECT_THROW(load_image_set(folder / "damaged.h5"), Error) << "bit " << bit;
  }
}

TEST(ImageSetFile, NoTruncationIsAccepted) {
  const TemporaryFolder folder;
  save_image_set(small_set(), folder / "set.h5");
  const std::string original = read_file(folder / "set.h5");
  Philox random({.seed = 2});
  for (int round = 0; round < 200; ++round) {
    const uint32_t size = random.below(static_cast<uint32_t>(original.size()));
    write(folder / "damaged.h5", original.substr(0, size));
    EXPECT_THROW(load_image_set(folder / "damaged.h5"), Error) << size << " bytes";
  }
}

TEST(ImageSetFile, WellSealedNonsenseIsRefusedByName) {
  // Files as another program might write them: whole, but with wrong or missing parts.
  const TemporaryFolder folder;
  const ImageSet set = small_set();
  save_image_set(set, folder / "set.h5");
  const io::Hdf5File whole = io::Hdf5File::open_read(folder / "set.h5");
  const std::vector<std::string> datasets = whole.list_datasets("/");
  ASSERT_GT(datasets.size(), 6U);
  const std::vector<std::string> attributes = whole.list_attributes("/");
  Philox random({.seed = 3});

  const auto copy_dataset = [&](io::Hdf5File& file, const std::string& name) {
    switch (whole.info(name).type) {
      case io::ElementType::u8: {
        const io::ByteArray bytes = whole.read_bytes(name);
        return file.write_bytes(name, bytes.shape, bytes.values);
      }
      case io::ElementType::text:
        return file.write_texts(name, whole.read_texts(name));
      default:
        return file.write(name, whole.read(name));
    }
  };
  const auto write_nonsense = [&](io::Hdf5File& file, const std::string& name) {
    const int64_t count = random.below(40);
    switch (random.below(5)) {
      case 0:
        return file.write(name, Tensor(DType::f64, {count}));
      case 1:
        return file.write_text(name, "nonsense");
      case 2:
        return file.write_bytes(name, {count}, std::vector<uint8_t>(static_cast<size_t>(count)));
      case 3: {
        Tensor tensor(DType::i32, {count});
        for (int32_t& value : tensor.as<int32_t>()) value = static_cast<int32_t>(random.next());
        return file.write(name, tensor);
      }
      default:
        return;  // left out
    }
  };
  const auto copy_attribute = [&](io::Hdf5File& file, const std::string& name, bool nonsense) {
    const bool text = name == "name" || name == "source" || name == "default_split" ||
                      name == "format" || name == "fingerprint";
    if (nonsense && random.below(4) == 0) return;
    if (text != (nonsense && random.below(2) == 0)) {
      return file.set_attribute_text("/", name,
                                     nonsense ? "nonsense" : whole.attribute_text("/", name));
    }
    file.set_attribute_int(
        "/", name, nonsense ? static_cast<int32_t>(random.next()) : whole.attribute_int("/", name));
  };

  for (int round = 0; round < 300; ++round) {
    const uint32_t broken =
        random.below(static_cast<uint32_t>(datasets.size() + attributes.size()));
    const auto path = sealed(folder, [&](io::Hdf5File& file) {
      file.create_group("splits");
      for (size_t i = 0; i < datasets.size(); ++i) {
        if (i == broken)
          write_nonsense(file, datasets[i]);
        else
          copy_dataset(file, datasets[i]);
      }
      for (size_t i = 0; i < attributes.size(); ++i) {
        copy_attribute(file, attributes[i], i + datasets.size() == broken);
      }
    });
    try {
      load_image_set(path);
      ADD_FAILURE() << "round " << round << " accepted nonsense in " << broken;
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    }
  }
}

TEST(ImageSet, ValidationNamesWhatDoesNotFit) {
  const auto message = [](const std::function<void(ImageSet&)>& spoil) {
    ImageSet set = small_set();
    spoil(set);
    return message_of<BadInput>([&] { validate(set); });
  };
  EXPECT_NO_THROW(validate(small_set()));
  EXPECT_CONTAINS(message([](ImageSet& s) { s.class_names.pop_back(); }), "class_begin has 25");
  EXPECT_CONTAINS(message([](ImageSet& s) { s.class_names.clear(); }), "no classes");
  EXPECT_CONTAINS(message([](ImageSet& s) { s.pixels.pop_back(); }), "images are missing");
  EXPECT_CONTAINS(message([](ImageSet& s) { s.pixels.push_back(0); }), "pixels has 1921");
  EXPECT_CONTAINS(message([](ImageSet& s) { s.class_begin[0] = 1; }), "does not start at 0");
  EXPECT_CONTAINS(message([](ImageSet& s) { s.class_begin[3] = s.class_begin[4]; }),
                  "class 'class103' has no images");
  EXPECT_CONTAINS(message([](ImageSet& s) { s.class_group[0] = 9; }), "group 9, there are 4");
  EXPECT_CONTAINS(message([](ImageSet& s) { s.class_group[0] = -1; }), "group -1");
  EXPECT_CONTAINS(message([](ImageSet& s) { s.image_maker.pop_back(); }), "image_maker has 119");
  EXPECT_CONTAINS(message([](ImageSet& s) { s.default_split = "other"; }), "scheme 'other'");
  EXPECT_CONTAINS(message([](ImageSet& s) { s.preparation.channels = 2; }), "1 or 3 channels");
  EXPECT_CONTAINS(message([](ImageSet& s) { s.splits["half"].classes[2].push_back(0); }),
                  "split scheme half holds class 'class100' twice");
  EXPECT_CONTAINS(message([](ImageSet& s) { s.splits["half"].classes[0][0] = 24; }),
                  "split half/train names class 24, there are 24");
}

TEST(ImageSet, TheFingerprintSeesEveryPart) {
  const std::vector<std::function<void(ImageSet&)>> changes = {
      [](ImageSet& s) { s.name += "x"; },
      [](ImageSet& s) { s.licence += "x"; },
      [](ImageSet& s) { s.source += "x"; },
      [](ImageSet& s) { s.preparation.invert = true; },
      [](ImageSet& s) { s.pixels.back() ^= 1; },
      [](ImageSet& s) { s.class_names[0] += "x"; },
      [](ImageSet& s) { s.group_names[0] += "x"; },
      [](ImageSet& s) { s.class_group[0] = 1; },
      [](ImageSet& s) { s.image_maker[0] = 7; },
      [](ImageSet& s) {
        std::swap(s.splits["half"].classes[0][0], s.splits["half"].classes[0][1]);
      },
      [](ImageSet& s) { s.splits.erase("all"); },
      [](ImageSet& s) { s.default_split = "all"; },
  };
  std::set<std::string> seen = {fingerprint(small_set())};
  for (const auto& change : changes) {
    ImageSet set = small_set();
    change(set);
    EXPECT_TRUE(seen.insert(fingerprint(set)).second);
  }
  EXPECT_EQ(fingerprint(small_set()).size(), 32U);
}

TEST(ImageSet, TheSummaryTellsTheSizes) {
  const ImageSet set = small_set();
  EXPECT_EQ(summary(set),
            "name         small\n"
            "source       made by a test\n"
            "images       120 of 4 x 4 x 1\n"
            "classes      24, with 5 images each\n"
            "groups       4\n"
            "split        all: train 24, validation 0, test 0 classes\n"
            "split        half: train 12, validation 6, test 6 classes (default)\n"
            "fingerprint  " +
                fingerprint(set) +
                "\n"
                "licence      public domain\n");
}

TEST(Omniglot, TheShippedFileIsTheWholeDataSet) {
  const std::filesystem::path folder =
      std::filesystem::path(OUTERLOOP_SOURCE_DIR) / "configs/datasets";
  const ImageSet set = load_image_set(folder / "omniglot28.h5");
  EXPECT_EQ(set.classes(), 1623);
  EXPECT_EQ(set.images(), 32460);
  for (int64_t c = 0; c < set.classes(); ++c) EXPECT_EQ(set.images_of(c), 20);
  EXPECT_EQ(set.group_names.size(), 50U);
  EXPECT_EQ(set.preparation, (ImagePreparation{28, 28, 1, true}));
  EXPECT_EQ(set.licence, read_file(folder / "OMNIGLOT_LICENSE"));
  EXPECT_EQ(set.image_maker[0], 0);
  EXPECT_EQ(set.image_maker[19], 19);
  const auto sizes = [&](const std::string& scheme) {
    const SplitScheme& s = set.splits.at(scheme);
    return std::array<size_t, 3>{s.classes[0].size(), s.classes[1].size(), s.classes[2].size()};
  };
  EXPECT_EQ(sizes("fixed"), (std::array<size_t, 3>{1100, 100, 423}));
  EXPECT_EQ(sizes("official"), (std::array<size_t, 3>{964, 0, 659}));
  EXPECT_EQ(sizes("holdout"), (std::array<size_t, 3>{812, 152, 659}));
  EXPECT_EQ(set.default_split, "fixed");
  // No alphabet is on both sides of the official split.
  std::array<std::set<int32_t>, 3> alphabets;
  for (size_t split = 0; split < 3; ++split) {
    for (const int32_t c : set.splits.at("holdout").classes.at(split)) {
      alphabets.at(split).insert(set.class_group[static_cast<size_t>(c)]);
    }
  }
  EXPECT_EQ(alphabets[0].size(), 25U);
  EXPECT_EQ(alphabets[1].size(), 5U);
  EXPECT_EQ(alphabets[2].size(), 20U);
  // Ink is high and covers a small part of the paper.
  double sum = 0;
  for (const uint8_t level : set.pixels) sum += level;
  EXPECT_NEAR(sum / 255 / static_cast<double>(set.pixels.size()), 0.08, 0.02);
}

TEST(Omniglot, TheShippedFileIsCompactAndReproducible) {
  const TemporaryFolder folder;
  const std::filesystem::path shipped =
      std::filesystem::path(OUTERLOOP_SOURCE_DIR) / "configs/datasets/omniglot28.h5";
  EXPECT_LT(std::filesystem::file_size(shipped), 8'000'000U);
  save_image_set(load_image_set(shipped), folder / "again.h5");
  EXPECT_TRUE(read_file(shipped) == read_file(folder / "again.h5"));
}

}  // namespace
}  // namespace outerloop::data
