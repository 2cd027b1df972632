#include "outerloop/data/image_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "data/pixels.h"
#include "data/test_files.h"
#include "io/temporary_folder.h"
#include "outerloop/base/error.h"
#include "outerloop/base/philox.h"
#include "support/message_of.h"

namespace outerloop::data {
namespace {

// The pattern that the files show, at (row, column).
struct Colour {
  int red, green, blue;
};
Colour pattern(int y, int x) {
  return {x * 20, y * 30, (x * 7 + y * 11) % 256};
}
int luma(const Colour& c) {
  return static_cast<int>(std::lround(0.299 * c.red + 0.587 * c.green + 0.114 * c.blue));
}

Image decoded(const std::string& name) {
  return decode_image(file_bytes(name), name);
}

int level(const Image& image, int y, int x, int channel = 0) {
  return image.pixels[static_cast<size_t>((y * image.width + x) * image.channels + channel)];
}

void expect_size(const Image& image, int channels) {
  EXPECT_EQ(image.height, 9);
  EXPECT_EQ(image.width, 12);
  EXPECT_EQ(image.channels, channels);
}

void expect_colours(const Image& image, int tolerance) {
  expect_size(image, 3);
  for (int y = 0; y < 9; ++y) {
    for (int x = 0; x < 12; ++x) {
      EXPECT_NEAR(level(image, y, x, 0), pattern(y, x).red, tolerance);
      EXPECT_NEAR(level(image, y, x, 1), pattern(y, x).green, tolerance);
      EXPECT_NEAR(level(image, y, x, 2), pattern(y, x).blue, tolerance);
    }
  }
}

void expect_grey(const Image& image, int tolerance) {
  expect_size(image, 1);
  for (int y = 0; y < 9; ++y) {
    for (int x = 0; x < 12; ++x) EXPECT_NEAR(level(image, y, x), luma(pattern(y, x)), tolerance);
  }
}

TEST(ImageFile, ReadsColourAndGrey) {
  expect_colours(decoded("rgb.png"), 0);
  expect_grey(decoded("grey.png"), 0);
  expect_colours(decoded("rgb.jpg"), 4);
  expect_grey(decoded("grey.jpg"), 3);
}

TEST(ImageFile, ReadsOneAndSixteenBits) {
  const Image one = decoded("bits1.png");
  const Image sixteen = decoded("bits16.png");
  expect_size(one, 1);
  expect_size(sixteen, 1);
  for (int y = 0; y < 9; ++y) {
    for (int x = 0; x < 12; ++x) {
      EXPECT_EQ(level(one, y, x), (x + y) % 2 * 255);
      EXPECT_EQ(level(sixteen, y, x), std::lround((x * 5000 + y * 100) / 257.0));
    }
  }
}

TEST(ImageFile, ReadsPalettes) {
  const Image image = decoded("palette.png");
  expect_size(image, 3);
  EXPECT_EQ(level(image, 0, 0, 0), 10);
  EXPECT_EQ(level(image, 0, 0, 2), 30);
  EXPECT_EQ(level(image, 4, 1, 0), 255);
  EXPECT_EQ(level(image, 4, 1, 1), 0);
  // Colour 1 is transparent here, so white shows.
  EXPECT_EQ(level(decoded("palette_alpha.png"), 4, 1, 1), 255);
}

TEST(ImageFile, LaysTransparencyOverWhite) {
  const Image colour = decoded("rgba.png");
  const Image grey = decoded("grey_alpha.png");
  expect_size(colour, 3);
  expect_size(grey, 1);
  for (int y = 0; y < 9; ++y) {
    for (int x = 0; x < 12; ++x) {
      const double alpha = (x + y) * 12 / 255.0;
      const Colour c = pattern(y, x);
      EXPECT_NEAR(level(colour, y, x, 1), c.green * alpha + 255 * (1 - alpha), 0.6);
      EXPECT_NEAR(level(grey, y, x), luma(c) * alpha + 255 * (1 - alpha), 0.6);
    }
  }
}

Image from_text(const std::string& text) {
  return decode_image(std::as_bytes(std::span<const char>(text)), "text");
}

TEST(ImageFile, ReadsNetpbm) {
  const std::vector<uint8_t> expected = {0, 128, 255, 64};
  EXPECT_EQ(from_text("P2 # comment\n2 2\n255\n0 128\n255 64").pixels, expected);
  EXPECT_EQ(from_text(std::string("P5\n2 2 255\n\0\x80\xff\x40", 15)).pixels, expected);
  EXPECT_EQ(from_text("P2 2 1 3 1 3").pixels, (std::vector<uint8_t>{85, 255}));
  EXPECT_EQ(from_text(std::string("P5 1 1 65535\n\x80\x00", 15)).pixels, std::vector<uint8_t>{128});
  const Image colour = from_text("P3 1 1 255 1 2 3");
  EXPECT_EQ(colour.channels, 3);
  EXPECT_EQ(colour.pixels, (std::vector<uint8_t>{1, 2, 3}));
  EXPECT_EQ(from_text(std::string("P6 1 1 255\n\1\2\3", 14)).pixels, colour.pixels);
}

TEST(ImageFile, RefusesWhatIsNoImage) {
  EXPECT_THROW(from_text(""), BadInput);
  EXPECT_THROW(from_text("GIF89a"), BadInput);
  EXPECT_THROW(from_text("P5"), BadInput);
  EXPECT_THROW(from_text("P5 2 2 255\nabc"), BadInput);
  EXPECT_THROW(from_text("P2 1 1 10 11"), BadInput);
  EXPECT_THROW(from_text("P2 0 1 255"), BadInput);
  EXPECT_THROW(from_text("P5 99999 99999 255\n"), BadInput);
  EXPECT_THROW(decoded("cmyk.jpg"), BadInput);
}

TEST(ImageFile, SurvivesDamage) {
  // Whatever bytes are changed or cut off, there is an image or BadInput.
  Philox random({.seed = 1});
  int refused = 0;
  for (const char* name : {"rgb.png", "palette_alpha.png", "bits16.png", "rgb.jpg", "glyph0.png"}) {
    const std::vector<std::byte> original = file_bytes(name);
    for (int round = 0; round < 400; ++round) {
      std::vector<std::byte> damaged = original;
      for (uint32_t i = 0; i <= random.below(4); ++i) {
        damaged[random.below(static_cast<uint32_t>(damaged.size()))] =
            static_cast<std::byte>(random.below(256));
      }
      if (random.below(2) == 0) damaged.resize(random.below(static_cast<uint32_t>(damaged.size())));
      try {
        const Image image = decode_image(damaged, name);
        EXPECT_EQ(image.pixels.size(), static_cast<size_t>(image.height) *
                                           static_cast<size_t>(image.width) *
                                           static_cast<size_t>(image.channels));
      } catch (const BadInput& error) {
        EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 1000);
}

int worst_difference(const Image& a, const Image& b) {
  EXPECT_EQ(a.pixels.size(), b.pixels.size());
  int worst = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i) {
    worst = std::max(worst, std::abs(int{a.pixels[i]} - int{b.pixels[i]}));
  }
  return worst;
}

TEST(Resize, GivesPillowsGreyLevels) {
  // The …_HxW.png files were made by Pillow's resize(LANCZOS).
  EXPECT_EQ(
      worst_difference(resize_lanczos(decoded("glyph0.png"), 28, 28), decoded("glyph0_28x28.png")),
      0);
  EXPECT_EQ(
      worst_difference(resize_lanczos(decoded("glyph1.png"), 28, 28), decoded("glyph1_28x28.png")),
      0);
  EXPECT_EQ(worst_difference(resize_lanczos(decoded("rgb.png"), 28, 28), decoded("rgb_28x28.png")),
            0);
  EXPECT_EQ(worst_difference(resize_lanczos(decoded("rgb.png"), 20, 5), decoded("rgb_20x5.png")),
            0);
}

TEST(Resize, ToTheSameSizeChangesNothing) {
  const Image image = decoded("rgb.png");
  EXPECT_EQ(resize_lanczos(image, 9, 12).pixels, image.pixels);
}

TEST(Prepare, ConvertsChannelsAndInverts) {
  const ImagePreparation grey{.height = 9, .width = 12, .channels = 1, .invert = true};
  const Image image = prepare(decoded("rgb.png"), grey);
  for (int y = 0; y < 9; ++y) {
    for (int x = 0; x < 12; ++x) EXPECT_EQ(level(image, y, x), 255 - luma(pattern(y, x)));
  }
  const ImagePreparation colour{.height = 9, .width = 12, .channels = 3};
  const Image spread = prepare(decoded("grey.png"), colour);
  EXPECT_EQ(level(spread, 4, 4, 0), level(spread, 4, 4, 2));
  EXPECT_THROW(prepare(image, {.height = 0}), BadInput);
  EXPECT_THROW(prepare(image, {.channels = 2}), BadInput);
}

TEST(LoadImage, ScalesToTheUnitInterval) {
  const ImagePreparation preparation{.height = 28, .width = 28, .channels = 1, .invert = true};
  const std::vector<float> values = load_image(test_file("glyph0.png"), preparation);
  const Image expected = decoded("glyph0_28x28.png");
  ASSERT_EQ(values.size(), expected.pixels.size());
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(values[i], static_cast<float>(255 - expected.pixels[i]) / 255.0F);
  }
  EXPECT_THROW(load_image(test_file("no_such_file.png"), preparation), BadInput);
}

TEST(ReadImages, WalksAFolderInOrder) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "b/c");
  std::filesystem::create_directories(folder / ".hidden");
  for (const char* name : {"z.png", "b/c/1.PNG", "b/0.png", ".hidden/1.png", "b/notes.txt"}) {
    std::filesystem::copy_file(test_file("grey.png"), folder / name);
  }
  const std::vector<NamedImage> images =
      read_images(folder.path(), {.height = 8, .width = 8, .channels = 3});
  ASSERT_EQ(images.size(), 3U);
  EXPECT_EQ(images[0].name, "b/0.png");
  EXPECT_EQ(images[0].label, "b");
  EXPECT_EQ(images[1].label, "b/c");
  EXPECT_EQ(images[2].label, "");
  EXPECT_EQ(images[2].image.pixels.size(), 8U * 8 * 3);
}

TEST(ReadImages, RefusesImagesInOtherFormats) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "a");
  std::filesystem::copy_file(test_file("grey.png"), folder / "a/1.png");
  write_file_atomically(folder / "a/notes.txt", "no image");
  EXPECT_EQ(read_images(folder.path(), {}).size(), 1U);
  // As Windows names what a browser saves.
  std::filesystem::copy_file(test_file("rgb.jpg"), folder / "a/2.jfif");
  EXPECT_EQ(read_images(folder.path(), {}).size(), 2U);
  for (const char* name : {"a/2.WebP", "a/3.pbm"}) {
    write_file_atomically(folder / name, "");
    EXPECT_CONTAINS(message_of<BadInput>([&] { read_images(folder.path(), {}); }),
                    fmt::format("{}: an image in a format that is not read", name));
    std::filesystem::remove(folder / name);
  }
}

TEST(ReadImages, FollowsLinksToFolders) {
  namespace fs = std::filesystem;
  const TemporaryFolder folder;
  fs::create_directories(folder / "set/dog");
  fs::create_directories(folder / "elsewhere");
  fs::copy_file(test_file("grey.png"), folder / "set/dog/1.png");
  fs::copy_file(test_file("grey.png"), folder / "elsewhere/2.png");
  fs::create_directory_symlink(folder / "elsewhere", folder / "set/cat");
  fs::create_directory_symlink("..", folder / "set/.up");
  fs::create_symlink("itself", folder / "set/itself");
  const std::vector<NamedImage> images = read_images(folder / "set", {});
  ASSERT_EQ(images.size(), 2U);
  EXPECT_EQ(images[0].name, "cat/2.png");
  // Back to a folder around it, over another link.
  fs::create_directory_symlink(folder / "set", folder / "elsewhere/back");
  EXPECT_CONTAINS(message_of<BadInput>([&] { read_images(folder / "set", {}); }),
                  "set/cat/back: a link to a folder which it lies in");
}

TEST(ReadImages, RefusesAClassWithoutImages) {
  struct Case {
    std::vector<std::string> files;  // images where they end in .png
    std::string refused;             // folder; empty: none
  };
  for (const auto& [files, refused] :
       std::vector<Case>{{{"a/1.png", "b/1.png", "circle/1.svg"}, "circle"},
                         {{"a/1.png", "circle/"}, "circle"},
                         {{"train/a/1.png", "test/b/1.png", "test/circle/1.svg"}, "test/circle"},
                         {{"a/1.png", "notes.txt", ".git/x"}, ""},
                         {{"a/1.png", "a/notes/x.txt", "a/raw/"}, ""},
                         {{"in/a/1.png", "notes/x.txt"}, ""},
                         {{"a/1.png", "b/c/1.png"}, ""},
                         {{"1.png", "2.png", "notes/x.txt"}, ""}}) {
    const TemporaryFolder folder;
    for (const std::string& file : files) {
      const std::filesystem::path path = folder / file;
      std::filesystem::create_directories(path.parent_path());
      if (file.ends_with(".png")) {
        std::filesystem::copy_file(test_file("grey.png"), path);
      } else if (!file.ends_with('/')) {
        write_file_atomically(path, "no image");
      }
    }
    const auto read = [&] { read_images(folder.path(), {}); };
    if (refused.empty()) {
      EXPECT_NO_THROW(read()) << files.back();
      continue;
    }
    EXPECT_CONTAINS(message_of<BadInput>(read), (folder / refused).string() + ": no image in it");
  }
}

TEST(ReadImages, NamesAFolderWithoutImages) {
  const TemporaryFolder folder;
  EXPECT_THROW(read_images(folder.path(), {}), BadInput);
  EXPECT_THROW(read_images(folder / "missing", {}), BadInput);
  EXPECT_THROW(read_images(test_file("grey.png"), {}), BadInput);
}

TEST(Pixels, TurnLikeRot90) {
  // 0 1    1 3    3 2    2 0
  // 2 3    0 2    1 0    3 1
  const std::vector<uint8_t> pixels = {0, 51, 102, 153};
  const std::vector<std::vector<float>> expected = {{0.0F, 0.2F, 0.4F, 0.6F},
                                                    {0.2F, 0.6F, 0.0F, 0.4F},
                                                    {0.6F, 0.4F, 0.2F, 0.0F},
                                                    {0.4F, 0.0F, 0.6F, 0.2F}};
  for (int turns = 0; turns < 4; ++turns) {
    std::vector<float> values(4);
    scale_turned(pixels, 2, 1, turns, values);
    EXPECT_EQ(values, expected[static_cast<size_t>(turns)]) << turns;
  }
}

TEST(Pixels, AreDividedWithOneRounding) {
  std::vector<uint8_t> pixels(256);
  for (size_t i = 0; i < 256; ++i) pixels[i] = static_cast<uint8_t>(i);
  for (int turns = 0; turns < 4; ++turns) {
    std::vector<float> values(256);
    scale_turned(pixels, 16, 1, turns, values);
    std::ranges::sort(values);
    for (size_t i = 0; i < 256; ++i) ASSERT_EQ(values[i], static_cast<float>(i) / 255.0F);
  }
}

TEST(Pixels, TurnKeepsChannelsTogether) {
  const std::vector<uint8_t> pixels = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  std::vector<float> values(12);
  scale_turned(pixels, 2, 3, 2, values);
  const std::vector<int> expected = {10, 11, 12, 7, 8, 9, 4, 5, 6, 1, 2, 3};
  for (size_t i = 0; i < 12; ++i) EXPECT_EQ(std::lround(values[i] * 255), expected[i]);
}

}  // namespace
}  // namespace outerloop::data
