#include "kernels/table.hpp"

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace cnet::kernels {

// Declares the tables that the families export, and joins them into one table per instruction set and element type.
#define CNET_FAMILY(Family, name)                                                                                      \
  extern const Family<float> name##_float;                                                                             \
  extern const Family<double> name##_double;
#define CNET_TABLE(T)                                                                                                  \
  const Table<T> T##_table = {products_##T, activations_##T, softmax_##T,    losses_##T, normalization_##T,            \
                              merging_##T,  random_##T,      optimizers_##T, gather_##T};
#define CNET_TABLES(isa)                                                                                               \
  namespace isa {                                                                                                      \
  CNET_FAMILY(ProductKernels, products)                                                                                \
  CNET_FAMILY(ActivationKernels, activations)                                                                          \
  CNET_FAMILY(SoftmaxKernels, softmax)                                                                                 \
  CNET_FAMILY(LossKernels, losses)                                                                                     \
  CNET_FAMILY(NormalizationKernels, normalization)                                                                     \
  CNET_FAMILY(MergingKernels, merging)                                                                                 \
  CNET_FAMILY(RandomKernels, random)                                                                                   \
  CNET_FAMILY(OptimizerKernels, optimizers)                                                                            \
  CNET_FAMILY(GatherKernels, gather)                                                                                   \
  CNET_TABLE(float)                                                                                                    \
  CNET_TABLE(double)                                                                                                   \
  }
CNET_TABLES(scalar)
#if defined(__x86_64__)
CNET_TABLES(avx2)
CNET_TABLES(avx512)
#elif defined(__aarch64__)
CNET_TABLES(neon)
#endif

namespace {

bool always() {
  return true;
}

#if defined(__x86_64__)
bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}
#endif

const InstructionSet isas[] = {
    {"scalar", always, &scalar::float_table, &scalar::double_table},
#if defined(__x86_64__)
    {"avx2", has_avx2, &avx2::float_table, &avx2::double_table},
    {"avx512", has_avx512, &avx512::float_table, &avx512::double_table},
#elif defined(__aarch64__)
    {"neon", always, &neon::float_table, &neon::double_table},
#endif
};

const InstructionSet& choose() {
  const char* wanted = std::getenv("CNET_ISA");
  if (wanted == nullptr || *wanted == '\0') {
    const InstructionSet* widest = &isas[0];
    for (const InstructionSet& isa : isas) {
      if (isa.supported()) widest = &isa;
    }
    return *widest;
  }
  std::string built;
  for (const InstructionSet& isa : isas) {
    if (std::string(wanted) == isa.name) {
      if (isa.supported()) return isa;
      throw std::invalid_argument("CNET_ISA: this CPU does not support '" + std::string(wanted) + "'");
    }
    built += std::string(built.empty() ? "" : ", ") + isa.name;
  }
  throw std::invalid_argument("CNET_ISA: expected one of " + built + ", got '" + wanted + "'");
}

const InstructionSet& chosen() {
  static const InstructionSet& isa = choose();
  return isa;
}

} // namespace

template <> const Table<float>& table<float>() {
  return *chosen().float_table;
}
template <> const Table<double>& table<double>() {
  return *chosen().double_table;
}

const char* chosen_isa() {
  return chosen().name;
}

const InstructionSet* built_isas(int& count) {
  count = sizeof(isas) / sizeof(isas[0]);
  return isas;
}

} // namespace cnet::kernels
