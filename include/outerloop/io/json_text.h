#pragma once
// JSON as text, where names of files, columns and tasks need not be UTF-8.

#include <nlohmann/json.hpp>
#include <string>

namespace outerloop::io {

// Bytes that are no UTF-8 are replaced. indent: -1 for one line.
inline std::string json_text(const nlohmann::ordered_json& json, int indent = -1) {
  return json.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace outerloop::io
