# cmake -DNM=nm -DOBJECTS=a.o;b.o -P check_symbols.cmake
# Fails when an object defines a weak function outside of tensorkv's own namespaces: see src/level.h.
execute_process(COMMAND ${NM} --defined-only ${OBJECTS} OUTPUT_VARIABLE symbols RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${NM} failed on ${OBJECTS}")
endif()
# Mangled names in namespace tensorkv start with _ZN, qualifiers, 8tensorkv.
string(REGEX MATCHALL "[0-9a-f]+ [VWuvw] [^\n]+" weak "${symbols}")
foreach(symbol IN LISTS weak)
  if(NOT symbol MATCHES " _ZN[A-Z]*8tensorkv")
    message(FATAL_ERROR "A kernel file must not instantiate a shared function: ${symbol}")
  endif()
endforeach()
