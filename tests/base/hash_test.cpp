#include "outerloop/base/hash.h"

#include <gtest/gtest.h>

#include <fstream>

#include "io/temporary_folder.h"
#include "outerloop/base/crc32.h"
#include "outerloop/base/error.h"

namespace outerloop {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// Vectors of FIPS 180-4 and NIST's example pages.
TEST(Hash, Sha256MatchesThePublishedVectors) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256_hex(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Hash, Sha256OfAFileIsThatOfItsContent) {
  const std::string path = fresh_folder("hash") / "content.bin";
  const std::string content(200001, 'x');
  std::ofstream(path, std::ios::binary) << content;
  EXPECT_EQ(sha256_hex_of_file(path), sha256_hex(content));
  EXPECT_THROW(sha256_hex_of_file(path + ".missing"), SystemFailure);
}

// The empty-input values are fixed by the xxHash specification, section XXH3.
TEST(Hash, Xxh3MatchesTheSpecification) {
  EXPECT_EQ(to_hex(xxh3_64({})), "2d06800538d394c2");
  EXPECT_EQ(to_hex(xxh3_128({})), "99aa06d3014798d86001c324468d497f");
  EXPECT_NE(xxh3_64(bytes_of("a")), xxh3_64(bytes_of("b")));
}

TEST(Hash, Xxh3OfPiecesIsThatOfTheWhole) {
  const std::string whole(3000, 'x');
  for (const size_t length : {1, 64, 1000, 4000}) {
    std::string_view rest = whole;
    const auto next = [&] {
      const std::string_view piece = rest.substr(0, length);
      rest.remove_prefix(piece.size());
      return bytes_of(piece);
    };
    EXPECT_EQ(xxh3_128_of_pieces(next), xxh3_128(bytes_of(whole))) << length;
  }
}

TEST(Crc, MatchesThePublishedCheckValues) {
  EXPECT_EQ(crc32(bytes_of("123456789")), 0xcbf43926u);
  EXPECT_EQ(crc32c(bytes_of("123456789")), 0xe3069283u);
  const std::string zeros(32, '\0');
  EXPECT_EQ(crc32c(bytes_of(zeros)), 0x8a9136aau);  // RFC 3720, appendix B.4
}

TEST(Crc, GoesOnOverPieces) {
  const std::string text = "The quick brown fox jumps over the lazy dog";
  for (size_t cut = 0; cut <= text.size(); ++cut)
    EXPECT_EQ(crc32(bytes_of(text).subspan(cut), crc32(bytes_of(text).first(cut))), 0x414fa339u);
}

}  // namespace
}  // namespace outerloop
