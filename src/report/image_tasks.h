#pragma once
// Example tasks of images: support and query images, and the answers before and after adaptation.

#include <string>

#include "report/report_data.h"

namespace outerloop::report {

// HTML, with the images as CSS classes in a style element.
std::string image_task_cards(const ReportData& data);

}  // namespace outerloop::report
