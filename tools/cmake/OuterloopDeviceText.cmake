# Writes FILE, the headers HEADERS (names below FOLDER, separated by commas) as strings, which the
# function NAME (declared in the header INCLUDE, without its namespace) gives one by one:
# cmake -DFOLDER=… -DHEADERS=a.h,b.h -DNAMESPACE=… -DNAME=… -DINCLUDE=… -DFILE=… -P …
cmake_minimum_required(VERSION 3.25)
string(REPLACE "," ";" headers "${HEADERS}")
set(parts "")
foreach(header IN LISTS headers)
  file(READ ${FOLDER}/${header} text)
  string(REGEX REPLACE "#(pragma once|include)[^\n]*\n" "" text "${text}")
  string(APPEND parts "    R\"device(${text})device\",\n")
endforeach()
file(WRITE ${FILE} "#include \"${INCLUDE}\"

namespace ${NAMESPACE} {

std::span<const std::string_view> ${NAME}() {
  static constexpr std::string_view kHeaders[] = {
${parts}  };
  return kHeaders;
}

}  // namespace ${NAMESPACE}
")
