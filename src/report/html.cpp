#include "report/html.h"

#include <fmt/format.h>

namespace outerloop::report {

std::string escape(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

std::string base64(std::span<const std::byte> bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    unsigned group = 0;
    for (size_t b = 0; b < 3; ++b) {
      group = group << 8 | (b < count ? std::to_integer<unsigned>(bytes[i + b]) : 0U);
    }
    for (size_t d = 0; d < 4; ++d) {
      text += d <= count ? kDigits[group >> (18 - 6 * d) & 63U] : '=';
    }
  }
  return text;
}

std::string table_of(const std::vector<Fact>& facts) {
  std::string rows;
  for (const auto& [name, value] : facts) {
    rows += fmt::format("<tr><th>{}</th><td>{}</td></tr>\n", escape(name), escape(value));
  }
  return "<table class=\"facts\">\n" + rows + "</table>\n";
}

std::string card(std::string_view heading, std::string_view body, std::string_view note) {
  const std::string below =
      note.empty() ? std::string() : fmt::format("<p class=\"note\">{}</p>\n", note);
  return fmt::format("<section class=\"card\">\n<h3>{}</h3>\n{}{}</section>\n", escape(heading),
                     body, below);
}

}  // namespace outerloop::report
