# Writes OUT: a C++ file that holds every unit file of UNITS as text (see unit/embedded.hpp).
set(body "#include \"unit/embedded.hpp\"\n\nnamespace monoinit::unit {\n\nstatic constexpr EmbeddedUnit units[] = {\n")
foreach(path IN LISTS UNITS)
  get_filename_component(name "${path}" NAME)
  file(READ "${path}" text)
  string(APPEND body "    {\"${name}\", R\"unit(${text})unit\"},\n")
endforeach()
string(APPEND body "};\n\nstd::span<const EmbeddedUnit> embedded_units() { return units; }\n\n} // namespace monoinit::unit\n")
file(WRITE "${OUT}" "${body}")
