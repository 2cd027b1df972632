#include "farm/live.h"

#include <nlohmann/json.hpp>

#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"

namespace outerloop::farm {
namespace {

// Reader and writer go through the same list.
template <class Self, class Visit>
void visit(Self& live, Visit&& field) {
  field("host", live.host);
  field("process", live.process);
  field("workers", live.workers);
  field("cells", live.cells);
  field("done", live.done);
  field("begun_at", live.begun_at);
  field("seconds", live.seconds);
  field("cost", live.cost);
  field("cost_left", live.cost_left);
  field("unix_time", live.unix_time);
}

}  // namespace

std::filesystem::path live_file_of(const std::filesystem::path& journal) {
  return journal.string() + ".live";
}

void write_live(const std::filesystem::path& journal, const Live& live) {
  nlohmann::ordered_json json;
  visit(live, [&](const char* name, const auto& value) { json[name] = value; });
  write_file_atomically(live_file_of(journal), json.dump() + "\n");
}

std::optional<Live> read_live(const std::filesystem::path& journal) {
  try {
    const auto json = nlohmann::json::parse(read_file(live_file_of(journal)));
    Live live;
    visit(live, [&](const char* name, auto& value) { json.at(name).get_to(value); });
    return live;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace outerloop::farm
