# Writes FILE, the headers HEADERS (names below FOLDER, separated by commas) as strings:
# cmake -DFOLDER=… -DHEADERS=a.h,b.h -DFILE=… -P OuterloopDeviceText.cmake
cmake_minimum_required(VERSION 3.25)
string(REPLACE "," ";" headers "${HEADERS}")
set(parts "")
foreach(header IN LISTS headers)
  file(READ ${FOLDER}/${header} text)
  string(REGEX REPLACE "#(pragma once|include)[^\n]*\n" "" text "${text}")
  string(APPEND parts "    R\"device(${text})device\",\n")
endforeach()
file(WRITE ${FILE} "#include \"exec/cuda/device_text.h\"

namespace outerloop::exec::cuda {

std::span<const std::string_view> device_headers() {
  static constexpr std::string_view kHeaders[] = {
${parts}  };
  return kHeaders;
}

}  // namespace outerloop::exec::cuda
")
