#include "report/html.h"

#include <fmt/format.h>

#include "report/style.h"

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

std::string tile(const std::string& value, const std::string& name) {
  return fmt::format("<div class=\"tile\"><b>{}</b><span>{}</span></div>\n", escape(value),
                     escape(name));
}

std::string section(const std::string& heading, const std::string& cards, const std::string& lead) {
  if (cards.empty() && lead.empty()) return {};
  const std::string words = lead.empty() ? lead : fmt::format("<p class=\"lead\">{}</p>\n", lead);
  return fmt::format("<h2>{}</h2>\n{}<div class=\"grid\">\n{}</div>\n", heading, words, cards);
}

std::string document(std::string_view title, std::string_view lead, std::string_view body) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{0}</title>\n<style>{1}</style>\n</head>\n<body>\n<main>\n<h1>{0}</h1>\n"
      "<p class=\"lead\">{2}</p>\n{3}</main>\n</body>\n</html>\n",
      escape(title), kStyle, escape(lead), body);
}

}  // namespace outerloop::report
