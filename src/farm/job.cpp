#include "outerloop/farm/job.h"

#include "farm/identity.h"
#include "outerloop/base/hash.h"

namespace outerloop::farm {

std::string identity_of(const Manifest& manifest, const std::vector<std::string>& columns,
                        const std::vector<std::string>& keys) {
  std::string all;
  // With its length, so that no two lists of texts join to the same.
  const auto add = [&all](const std::string& text) {
    all += std::to_string(text.size()) + ':' + text;
  };
  const auto add_list = [&](const std::vector<std::string>& texts) {
    all += std::to_string(texts.size()) + '/';
    for (const std::string& text : texts) add(text);
  };
  add(manifest.name);
  add(manifest.content);
  add_list(columns);
  add_list(keys);
  return sha256_hex(all);
}

std::vector<std::string> keys_of(const Job& job) {
  std::vector<std::string> keys;
  for (const Cell& cell : job.cells()) keys.push_back(cell.key);
  return keys;
}

std::string identity(const Job& job) {
  return identity_of(job.manifest(), job.columns(), keys_of(job));
}

}  // namespace outerloop::farm
